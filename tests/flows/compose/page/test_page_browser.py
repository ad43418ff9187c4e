"""The page in a browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice.flows.compose.page.page import page_of
from sluice.infra.page.render import render
from tests.browser import CONTRAST, LEGIBLE, SIZES, Browser, browser
from tests.flows.compose.page.pages import EVIL, found, with_strength


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize(("size", "dark"), [("phone", False), ("desktop", True)])
def test_the_page_fits_is_legible_and_loads_nothing(tab: Browser, out: Path, size: str, dark: bool) -> None:
    tab.open(out / "index.html", *SIZES[size], dark=dark)
    tab.value("document.querySelectorAll('details').forEach(own => own.open = true)")
    assert tab.value("document.scrollingElement.scrollWidth") <= SIZES[size][0]
    assert tab.value("[...document.images].every(image => image.naturalWidth > 0)")
    assert [url for url in tab.requests if not url.startswith("data:")] == [(out / "index.html").as_uri()]
    assert tab.complaints == []
    assert EVIL in tab.value("document.body.innerText")
    assert tab.value("document.querySelectorAll('.heat rect').length") > 20
    widths = "[...document.querySelectorAll('.chart > svg polyline')].map(own => own.getBoundingClientRect().width)"
    assert min(tab.value(widths)) > 50
    ratio, where = tab.value(CONTRAST)
    assert ratio >= LEGIBLE, where


def test_variants_are_flipped_through_by_keys(tab: Browser, job: dict[str, Any], tmp_path: Path) -> None:
    shades: Sequence[int] = (0, 100, 200)
    variants = [found(with_strength(job, own), np.full((64, 64, 3), own, np.uint8)) for own in shades]
    page = page_of([own.asked for own in variants], variants, 0)
    results = replace(page, sections=page.sections[:1])
    (tmp_path / "index.html").write_bytes(render(results))
    tab.open(tmp_path / "index.html", *SIZES["desktop"])
    seen = "[...document.querySelectorAll('.flip figure')].map(own => own.offsetParent !== null)"
    assert tab.value(seen) == [True, True, True]
    for number in range(3):
        tab.value(f"document.querySelectorAll('.flip label')[{number + 1}].click()")
        assert tab.value(seen) == [own == number for own in range(3)]
    tab.value("document.querySelector('.flip .all').click()")
    assert tab.value(seen) == [True, True, True]
