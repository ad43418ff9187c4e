"""Data sets built in this process, and files made older."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sluice.preprocess.version.manifest import Version
from tests.preprocess.builds import build_here, config_here, write_photos

DAY = 24 * 3600.0


def age(folder: Path, seconds: float = 2 * DAY) -> None:
    """Let every file be written so long before now."""
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - seconds,) * 2)


def knob(low: float) -> dict[str, dict[str, object]]:
    """Three stages, of which one has a knob."""
    return {"image": {"size": 64, "min_side": 0}, "canny": {"low": low}, "depth": {"model": "cue"}}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Version, Version]:
    """A folder whose `out` has two versions that differ in a knob, two days old."""
    write_photos(tmp_path / "photos", 8)
    _, first = build_here(config_here(tmp_path, stages=knob(100)))
    _, second = build_here(config_here(tmp_path, stages=knob(50)))
    age(tmp_path / "out")
    manifest = tmp_path / "out" / first.prefix / "manifest.json"
    os.utime(manifest, (manifest.stat().st_mtime - 1,) * 2)
    return tmp_path, first, second
