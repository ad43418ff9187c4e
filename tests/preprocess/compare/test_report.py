"""Drift reports of data sets that changed in a known way."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.infra.page.render import render
from sluice.preprocess.compare.diff import diff
from sluice.preprocess.compare.examples import examples
from sluice.preprocess.compare.movement import Movement
from sluice.preprocess.compare.outline import as_numbers
from sluice.preprocess.compare.page import drift_page
from sluice.preprocess.compare.report import Report, drift_report
from sluice.preprocess.version.reading import shard_outputs
from tests.preprocess.builds import CHEAP_STAGES, BuiltVersion, write_photo
from tests.preprocess.compare.test_diff import key_of

Built = Callable[..., BuiltVersion]
FINE = {**CHEAP_STAGES, "canny": {"low": 20, "high": 40}}


def between(a: BuiltVersion | None, b: BuiltVersion) -> Report:
    return drift_report(b[0].storage, a[1] if a else None, b[1], workers=2)


def moved(report: Report, name: str) -> Movement:
    return next(movement for movement in report.movements if movement.name == name)


def agrees_with_diff(a: BuiltVersion, b: BuiltVersion) -> Report:
    """The report, once its counts are those of `diff`, which reads every byte that differs."""
    report, exact = between(a, b), diff(b[0].storage, a[1], b[1], workers=2)
    assert (report.changes["came"], report.changes["went"]) == (len(exact.added), len(exact.removed))
    return report


def test_a_first_version_and_the_same_one_cannot_drift(built: Built) -> None:
    one = built()
    first = between(None, one)
    assert first.verdict() == "nothing came before this version, so nothing can have drifted"
    assert first.counts["records"] == (0, 9)
    same = between(one, one)
    assert same.verdict() == "nothing drifted: it is the same version"
    assert not any(same.changes.values())
    assert {movement.index for movement in same.movements} == {0}
    assert {"edge_density", "caption_characters", "original_width", "split", "folder", "left out by"} <= {
        movement.name for movement in same.movements
    }


def test_a_knob_moves_what_it_makes_and_nothing_else(built: Built) -> None:
    report = agrees_with_diff(built(), built(stages=FINE))
    assert [movement.name for movement in report.movements if movement.index] == ["edge_density"]
    assert report.changes == {
        "came": 0, "went": 0, "changed in the source": 0, "made again": 9, "unexplained": 0,
    }  # fmt: skip
    assert [str(change) for change in report.stages] == ["canny: high 200.0 -> 40.0, low 100.0 -> 20.0"]
    assert moved(report, "edge_density").chance == 0, "the images are the same, so that nothing is by chance"
    assert report.verdict(1).startswith("drifted: edge_density")
    assert report.verdict(100).startswith("nothing drifted: none is over 100 and over chance; the greatest")


def test_what_comes_goes_and_changes_is_counted_as_diff_counts_it(built: Built, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    one = built()
    (photos / "p2.png").unlink()
    (photos / "p5.txt").write_text("another caption altogether")
    for seed in range(40, 48):
        write_photo(photos / "large", f"z{seed}", seed, "a large one", side=200)
    report = agrees_with_diff(one, built(prune=True))
    assert report.changes == {
        "came": 8, "went": 1, "changed in the source": 1, "made again": 0, "unexplained": 0,
    }  # fmt: skip
    assert report.counts["images"] == (9, 16)
    assert moved(report, "folder").counts == {"": (9, 8), "large": (0, 8)}
    width = moved(report, "original_width")
    assert width.spread is not None
    assert width.spread.mean == (64, pytest.approx(132))
    assert width.came is not None
    assert width.came[0] > width.index > width.chance, "what came has other widths, and is half of what there is"
    assert report.over(0.25)[0].name in ("original_width", "original_height", "folder")


def test_what_a_filter_leaves_out_is_a_movement_of_its_own(built: Built, tmp_path: Path) -> None:
    for seed in range(30, 36):
        write_photo(tmp_path / "photos", f"s{seed}", seed, "small", side=40)
    one = built()
    two = built(stages={**CHEAP_STAGES, "image": {"size": 64, "min_side": 48}})
    report = agrees_with_diff(one, two)
    assert report.changes["went"] == 6
    assert moved(report, "left out by").counts == {"image (filtered)": (0, 6), "nobody": (15, 9)}
    assert agrees_with_diff(two, one).changes["came"] == 6


def test_other_shards_of_the_same_records_change_nothing(built: Built) -> None:
    report = agrees_with_diff(built(), built(shard_size=2))
    assert not any(report.changes.values())
    assert not report.over(0)


def test_the_ends_show_what_is_newly_there_and_only_that(built: Built, tmp_path: Path) -> None:
    one = built()
    new = [write_photo(tmp_path / "photos", f"z{seed}", seed, "x" * 400) for seed in (70, 71)]
    two = built()
    report = between(one, two)
    shown = examples(two[0].storage, two[1], [moved(report, "caption_characters")], report.tails)
    (strip,) = shown.strips
    assert {figure.label for figure in strip.figures} == {key_of(photo) for photo in new}
    assert {figure.note for figure in strip.figures} == {"400"}
    assert all(figure.source.startswith("data:image/webp;base64,") for figure in strip.figures)
    said = json.dumps(report.as_dict())
    assert not [photo for photo in new if key_of(photo) in said], "what is withdrawn must not stay in it"


def test_the_page_and_what_could_not_be_read(built: Built, tmp_path: Path) -> None:
    one = built()
    write_photo(tmp_path / "photos", "z", 70, "<script>" * 60)
    two = built(stages=FINE)
    report = between(one, two)
    for outputs in shard_outputs(two[0].storage, two[1]):
        for output in outputs:
            if output.stage == "image":
                Path(two[0].storage.uri, output.file).unlink()
    shown = examples(two[0].storage, two[1], report.movements, report.tails)
    assert not any(strip.figures for strip in shown.strips)
    assert "is missing; `sluice dataset verify` says what to do" in shown.problems[0]
    page = drift_page(report, shown, 0.25, datetime(2026, 12, 22, tzinfo=UTC))
    text = render(page).decode()
    for part in ("drifted: edge_density", "canny: high 200.0 -&gt; 40.0", "what came", "made again"):
        assert part in text


def test_keys_are_kept_as_numbers_in_order() -> None:
    assert as_numbers(["00000000000000ff", "ffffffffffffffff"]).tolist() == [255, 2**64 - 1]
