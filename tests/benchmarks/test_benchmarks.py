"""That the benchmarks compare like with like, and say what they measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.preprocess.planning.config import DatasetConfig, make_stages
from sluice.preprocess.record import Record, decode_jpeg, encode_json
from tests.benchmarks.bare import STAGES, Fields
from tests.benchmarks.photographs import HEIGHT, WIDTH, photograph
from tests.benchmarks.race import Pace, time_once
from tests.benchmarks.report import BEGIN, END, measured, write_page
from tests.benchmarks.result import Goal, Result


@pytest.mark.parametrize("kernels", STAGES)
def test_the_bare_kernels_make_the_same_bytes_as_the_stages(kernels: Callable[[bytes], Fields]) -> None:
    data = photograph(3)
    record = Record("key", {"raw": data, "raw.json": encode_json({"captions": [], "origin": {}, "sha256": ""})})
    config = {"source": {"kind": "folder", "uri": "photos"}, "stages": STAGES[kernels]}
    for stage in make_stages(DatasetConfig.model_validate(config)):
        stage.open(None)
        stage([record])
        # A stage reads what the one before it stored.
        record = Record("key", {**record.encoded, **{name: record.encode(name) for name in stage.writes}})
    bare = kernels(data)
    assert bare == {name: record.encode(name) for name in bare}


def test_photographs_are_what_they_are_said_to_be() -> None:
    made = [photograph(seed) for seed in range(18)]
    assert made[5] == photograph(5)
    assert len(set(made)) == 18
    assert {decode_jpeg(data).shape for data in made} == {(HEIGHT, WIDTH, 3)}
    assert 80_000 < sum(map(len, made)) / 18 < 120_000


def test_pace_takes_the_start_up_away() -> None:
    pace = Pace(few=100, many=500, seconds_few=6, seconds_many=10)
    assert (pace.steady, pace.overall, pace.start_up) == (100, 50, 5)


def test_a_contender_that_loses_photographs_is_refused(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.jpg").write_bytes(photograph(1))

    def lazy(_: Path, out: Path) -> None:
        out.mkdir()
        (out / "stats.json").write_text("{}")

    with pytest.raises(RuntimeError, match="0 records of 1 photographs"):
        time_once(lazy, photos)


def test_the_page_is_rewritten_between_its_markers_and_keeps_what_was_not_measured_again(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n")
    for day, name, ratio in ((1, "zmagic", 1.5), (2, "build", 0.8), (3, "build", 0.9)):
        facts = {"date": f"2026-11-0{day}", "machine": "2 cores"}
        result = Result(f"{name} / bare pool", ratio, Goal(">=", 0.85))
        write_page(page, [measured(name, result, facts)], ["ray_data: no Ray"], facts)
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    rows = [line for line in text.splitlines() if "bare pool |" in line]
    assert rows == [
        "| build / bare pool | 0.9 | >= 0.85 | yes | 2026-11-03 |",
        "| zmagic / bare pool | 1.5 | >= 0.85 | yes | 2026-11-01 |",
    ]
    assert "Not measured: ray_data: no Ray" in text
    assert "**no**" not in text
    assert "old" not in text
