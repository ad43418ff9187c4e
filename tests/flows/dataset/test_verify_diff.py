"""What the commands print: nothing is left to guess."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from sluice.flows.dataset.verify_diff import show_diff, show_problems
from sluice.preprocess.compare.diff import Diff
from sluice.preprocess.compare.drift import Drift
from sluice.preprocess.compare.explain import Knob, StageChange
from sluice.preprocess.verify.problems import ANEW, Problem
from sluice.preprocess.version.manifest import Version

VERSION = Version("photos", "0123456789ab", {"counts": {"records": 7}, "shards": [[0, "s", 7]]})
CANNY = StageChange("canny", "aa", "bb", (Knob("low", 100.0, 80.0),))


def test_a_whole_version_is_said_to_be_whole() -> None:
    assert show_problems(VERSION, []).startswith("photos 0123456789ab is whole (records: 7, shards: 1)")


def test_a_problem_shows_file_finding_and_remedy() -> None:
    shown = show_problems(VERSION, [Problem("stages/canny/f/s.tar", "is cut short", ANEW)])
    assert shown.splitlines() == [
        "photos 0123456789ab has 1 problem:",
        "stages/canny/f/s.tar",
        "  is cut short",
        "  To mend it, delete it and run the same build again, which makes it anew.",
    ]


def test_a_diff_shows_causes_fields_knobs_and_drift() -> None:
    drift = Drift("edge_density", (7, 8), (0.1, 0.2), ((0.1, 0.2, 0.3), (0.1, 0.25, 0.3)), 0.5, 0.01)
    diff = Diff(
        a="aaaa",
        b="bbbb",
        records=(7, 8),
        shards=3,
        same_shards=2,
        added={"k1": "not planned before"},
        removed={},
        changed={f"k{i}": ["canny.png"] for i in range(5)},
        causes={str(CANNY): 5},
        new_fields=["depth.png"],
        lost_fields=[],
        stages=[CANNY],
        source=[Knob("uri", "old", "new")],
        drift=[drift],
    )
    stream = StringIO()
    console = Console(file=stream, width=120)
    for part in show_diff(diff):
        console.print(part)
    shown = stream.getvalue()
    for line in (
        "aaaa -> bbbb: 7 -> 8 records; 2 of 3 shards are the same",
        "stage canny: low 100.0 -> 80.0",
        "source: uri old -> new",
        "new fields: depth.png",
        "1 added\n  1 not planned before: k1",
        "0 removed",
        "5 changed\n  5 in canny.png: k0, k1, k2, ...\n  5 by canny: low 100.0 -> 80.0",
    ):
        assert line in shown
    row = next(line for line in shown.splitlines() if "edge_density" in line)
    assert all(cell in row for cell in ("0.1 -> 0.2", "0.2 -> 0.25", "0.500", "0.01"))
