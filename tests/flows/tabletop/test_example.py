"""The ten lines of the documentation run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "family.md"


def test_the_printed_lines_run() -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    named: dict[str, Any] = {}
    exec(lines, named)
    assert named["latents"].shape == (1, 4, 16, 16)
    assert named["made"].shape == (1, 3, 64, 64)
    assert named["classes"].shape == (1, 64, 64)
