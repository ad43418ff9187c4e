"""Data sets built in this process, and files made older."""

from __future__ import annotations

import json
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


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """The folder of a training that was killed after 40 of 80 steps."""
    folder = tmp_path / "networks" / "one"
    (folder / "checkpoints").mkdir(parents=True)
    recipe = {"method": "controlnet", "control": "canny", "samples": 640, "steps": None, "batch": 8}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (folder / "losses.jsonl").write_text('{"step": 20, "loss": 0.5}\n{"step": 40, "loss": 0.25}\n{"step": 6')
    (folder / "checkpoints" / "000000030.json").write_text("{}")
    (folder / "left-out.txt").write_text("aa\nbb\n")
    return folder
