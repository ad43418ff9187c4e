"""The ten lines of the documentation run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "family.md"


def test_the_printed_lines_run(untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "tabletop").mkdir()
    (tmp_path / "tabletop/models").symlink_to(untrained)
    monkeypatch.chdir(tmp_path)
    named: dict[str, Any] = {}
    exec(lines, named)
    assert named["latents"].shape == (1, 4, 16, 16)
    assert named["made"].shape == (1, 3, 64, 64)
    assert named["classes"].shape == (1, 64, 64)
