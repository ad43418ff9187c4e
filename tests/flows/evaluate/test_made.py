"""Pictures of jobs, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from sluice.flows.compose.run.runs import Here
from sluice.flows.evaluate.cases import SIZE, cases
from sluice.flows.evaluate.made import made, pixels_of
from sluice.flows.evaluate.methods import Sampling
from sluice.flows.evaluate.trees import guided, plain
from sluice.preprocess.record import encode_png

QUIET = Console(quiet=True)


def test_what_was_made_is_not_made_again_not_where_its_folder_moved_either(untrained: Path, tmp_path: Path) -> None:
    sampling = Sampling(str(untrained), steps=1, seeds=2)
    jobs = [sampling.job(case, plain(guided(sampling.alone, 5)), 4) for case in cases("two", 2)]
    first = made(jobs, tmp_path / "place", QUIET, Here())
    pixels = pixels_of(first, tmp_path / "place")
    assert pixels.shape == (4, 3, SIZE, SIZE)
    assert {f"{name}.png" for name in first} == {path.name for path in (tmp_path / "place/pictures").glob("*.png")}
    place = (tmp_path / "place").rename(tmp_path / "moved")
    before = {path: path.stat().st_mtime_ns for path in (place / "pictures").iterdir()}
    assert torch.equal(pixels_of(made(jobs[::-1], place, QUIET, Here()), place), pixels.roll(2, 0))
    assert before == {path: path.stat().st_mtime_ns for path in (place / "pictures").iterdir()}


def test_a_picture_that_was_cut_or_has_another_size_or_a_broken_record_is_made_again(
    untrained: Path, tmp_path: Path
) -> None:
    sampling = Sampling(str(untrained), steps=1, seeds=2)
    jobs = [sampling.job(case, plain(guided(sampling.alone, 5)), 2) for case in cases("two", 1)]
    first = made(jobs, tmp_path, QUIET, Here())
    cut = tmp_path / "pictures" / f"{first[1]}.png"
    whole = cut.read_bytes()
    smaller = encode_png(np.zeros((8, 8, 3), np.uint8))
    for damaged in (whole[: len(whole) // 2], smaller):
        cut.write_bytes(damaged)
        assert made(jobs, tmp_path, QUIET, Here()) == first
        assert cut.read_bytes() == whole
    record = cut.with_suffix(".json")
    told = record.read_bytes()
    for broken in (b"null", told[: len(told) // 2]):
        record.write_bytes(broken)
        assert made(jobs, tmp_path, QUIET, Here()) == first
        assert record.read_bytes() == told
