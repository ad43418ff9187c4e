"""When pages were made, what their data sets left out, and a section of a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sluice.infra.page.blocks import Page

WHEN = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)
LEFT_OUT = (
    *(("image", "failed", f"ImageError: {n}000 x {n}000 pixels are more than 64 million") for n in range(1, 9)),
    *(("mask", "filtered", "the dilated mask covers the whole image") for _ in range(20)),
    ("canny", "failed", "ValueError: <script>alert(1)</script>\nTraceback ..."),
)


def section(page: Page, name: str) -> list[Any]:
    return next((list(s.blocks) for s in page.sections if s.id == name), [])
