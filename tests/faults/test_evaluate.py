"""An evaluation that is killed: pictures that are there are not made again, and its figures are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flows.runs import Command

ASKED = ["evaluate", "--protocol", "unite", "--scenes", "4", "--seeds", "1", "--steps", "4"]
PICTURES = 4 * 7


def words(folder: Path) -> list[str]:
    return [*ASKED, "--place", str(folder / "place"), "--out", str(folder / "results")]


def pictures(folder: Path) -> dict[str, int]:
    """By name, when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "place/pictures").glob("*.json")}


def figures(folder: Path) -> Any:
    """Without examples: a picture's name is of the folder, too, in which its job's images would lie."""
    return {**json.loads((folder / "results/unite.json").read_text()), "examples": []}


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_to_the_same_figures(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    code, said = Command(words(whole), tmp_path).end(400)
    assert code == 0, said
    killed = Command(words(broken), tmp_path)
    assert killed.until(lambda: len(pictures(broken)) > 5), killed.end()
    killed.kill()
    before = pictures(broken)
    assert 5 < len(before) < PICTURES
    assert not list((broken / "results").iterdir())
    code, said = Command(words(broken), tmp_path).end(400)
    assert code == 0, said
    assert before.items() <= pictures(broken).items()
    assert len(pictures(broken)) == PICTURES
    assert figures(broken) == figures(whole)
