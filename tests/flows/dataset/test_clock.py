"""Clocks that jump: what was written an age ago, or will be, is what it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import config_for, tree, write_pictures
from tests.flows.runs import Journal

DAY = 86400.0


def write_at(out: Path, moment: float) -> None:
    """As if all files had been written then."""
    for path in out.rglob("*"):
        os.utime(path, (moment, moment))


@pytest.mark.parametrize(
    "jump", [pytest.param(400 * DAY, id="back"), pytest.param(-400 * DAY, id="ahead", marks=pytest.mark.slow)]
)
def test_a_build_goes_on_over_a_jump_and_runs_nothing_twice(
    jump: float, build: Callable[..., Any], tmp_path: Path
) -> None:
    """What lies there is of the time before the clock jumped."""
    write_pictures(tmp_path / "in", range(8), 48)
    stages = {
        "image": {"size": 32, "min_side": 16},
        "patient": {"seconds": 0, "journal": str(tmp_path / "journal")},
    }

    def config(out: str) -> Any:
        return config_for(tmp_path / "in", tmp_path / out, stages=stages, shard_size=4, workers=2)

    build(config("undisturbed"))
    journal = Journal(tmp_path / "journal")
    journal.begin()
    build(config("out"), limit=1)
    assert len(journal.keys) == 4
    write_at(tmp_path / "out", time.time() + jump)
    _, version, _ = build(config("out"))
    assert (len(journal.keys), journal.redone) == (8, 0)
    assert version.manifest["counts"]["records"] == 8
    ours, theirs = tree(tmp_path / "out"), tree(tmp_path / "undisturbed")
    assert {path: ours.get(path) for path in theirs if path.startswith("stages")} == {
        path: digest for path, digest in theirs.items() if path.startswith("stages")
    }
    assert theirs.keys() <= ours.keys(), "and the version of the first shard"
