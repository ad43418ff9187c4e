"""A rebuild after a cheap knob against the full build: the demo's configuration and networks, 64 photographs."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from sluice.flows.demo import PHOTOGRAPHS, lay_out_photographs, pull_weights
from tests.benchmarks.photographs import photographs
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.sluice_build import command

KNOB = "stages.canny.low=80"
CROPS = 48
SHARD = 8
"""Small shards, so that both workers have some of every stage."""
GOAL = Goal("<=", 0.05)


def run(rounds: int = 1) -> list[Result]:
    """Full build, then `canny.low` changed: seconds on the wall, start-up included, and seconds of the stages' work."""
    pull_weights()
    taken = [_both() for _ in range(rounds)]
    full, full_work, again, again_work = (round(statistics.median(column), 2) for column in zip(*taken, strict=True))
    details = {
        "full s": full,
        "rebuild s": again,
        "full, stages' s": full_work,
        "rebuild, stages' s": again_work,
        "knob": KNOB,
        "images": CROPS + len(PHOTOGRAPHS),
        "shard": SHARD,
    }
    return [
        Result("rebuild after a cheap knob / full build, wall", again / full, GOAL, details),
        Result("rebuild after a cheap knob / full build, stages' work", again_work / full_work, GOAL, details),
    ]


def _both() -> tuple[float, float, float, float]:
    """Wall and work of a full build from nothing; wall and work of the rebuild after it."""
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as folder:
        photos, data = Path(folder) / "photos", Path(folder) / "data"
        lay_out_photographs(photos)
        for crop in photographs(CROPS).iterdir():
            shutil.copy(crop, photos)
        full = _build(photos, data)
        full_work = _work(data)
        again = _build(photos, data, "--set", KNOB)
        return full, full_work, again, _work(data) - full_work


def _build(photos: Path, data: Path, *settings: str) -> float:
    began = time.monotonic()
    command(
        "--config", "photos", "--source", str(photos), "--out", str(data), "--set", f"shard_size={SHARD}", *settings
    )
    return time.monotonic() - began


def _work(data: Path) -> float:
    """Seconds that stages took for everything that is stored, as their commits tell."""
    commits = (json.loads(path.read_text()) for path in (data / "stages").glob("*/*/*.json"))
    return sum(float(commit["facts"]["seconds"]) for commit in commits)
