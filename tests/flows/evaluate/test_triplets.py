"""Compose and Conquer's comparison, whole by untrained networks in few steps; its figures on true pictures."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console

from sluice.flows.evaluate.cases import SIZE, other, shown
from sluice.flows.evaluate.combiners import triplets
from sluice.flows.evaluate.combiners.comparisons import measure_combiners
from sluice.flows.evaluate.combiners.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.results import read
from sluice.infra.models import find
from sluice.preprocess.perception.judges import Judges

QUIET = Console(quiet=True)


def test_both_figures_have_a_row_for_every_method(networks: Networks, untrained: Path, tmp_path: Path) -> None:
    sampling = Sampling(str(untrained), steps=1, seeds=1)
    measure_combiners(["cnc"], 2, sampling, networks, tmp_path, tmp_path / "results", QUIET)
    found = read(tmp_path / "results/cnc.json")
    methods = {triplets.TEXT, triplets.ONE_DEPTH, triplets.DEPTHS, triplets.CNC, triplets.UNGUIDED, triplets.HADAMARD}
    assert {(own.figure, own.method) for own in found.estimates} == {
        (figure, method) for figure in (triplets.FRONT, triplets.LOCAL) for method in methods
    }
    assert [len(claim.verdicts) for claim in found.claims] == [2, 2, 1]
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2 * len(methods), "no two methods are one"


def test_objects_overlap_and_differ() -> None:
    for case in islice(triplets.overlapping(), 4):
        assert triplets.both(case).sum() >= triplets.OVERLAP
        assert triplets.thing(case).shape != triplets.thing(other(case)).shape


def test_the_one_depth_of_both_is_the_foregrounds_where_it_is(tmp_path: Path) -> None:
    (case,) = islice(triplets.overlapping(), 1)
    whole = cv2.imread(str(tmp_path / triplets.one_depth(case, tmp_path)["image"]), cv2.IMREAD_GRAYSCALE) / 255
    ahead, behind = (shown([of], field)[0, 0].numpy() for of, field in ((case, "fg_depth"), (other(case), "depth")))
    inside = triplets.mask(case)
    assert np.allclose(whole[inside], ahead[inside], atol=0.01)
    assert np.allclose(whole[~inside], behind[~inside], atol=0.01)


def test_a_picture_is_judged_by_what_is_where(tmp_path: Path) -> None:
    """One put together of true pictures, and the same with the other object in front."""
    judges = Judges.load(find("tabletop/judges").path)
    front, local = triplets.figures(Contest(Sampling(), tmp_path, QUIET, Networks("tabletop")), judges)
    some = list(islice(triplets.overlapping(), 24))
    ahead, behind = (shown(of, "image") * 2 - 1 for of in (some, list(map(other, some))))
    inside = torch.stack([torch.from_numpy(triplets.mask(case)) for case in some])[:, None]
    assert front.of(torch.where(inside, ahead, behind), some).mean() > 0.6
    assert front.of(behind, some).mean() < 0.2
    wanted, backdrop = zip(*map(triplets.exemplars, some), strict=True)
    placed = torch.where(inside, shown(list(wanted), "image") * 2 - 1, shown(list(backdrop), "background") * 2 - 1)
    swapped = torch.where(inside, shown(list(backdrop), "background") * 2 - 1, shown(list(wanted), "image") * 2 - 1)
    assert local.of(placed, some).mean() > local.of(swapped, some).mean() + 0.05
    assert placed.shape == (24, 3, SIZE, SIZE)
