"""Compose and Conquer's comparison, whole by untrained networks in few steps; its figures on true pictures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console

from sluice.flows.evaluate.cases import SIZE, other, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.protocols import cnc
from sluice.flows.evaluate.worded import SIMILARITY

QUIET = Console(quiet=True)


def test_every_figure_has_a_row_for_every_method(measured: Callable[[str], Results]) -> None:
    found = measured("cnc")
    methods = {cnc.TEXT, cnc.ONE_DEPTH, cnc.DEPTHS, cnc.CNC, cnc.UNGUIDED}
    assert {(own.figure, own.method) for own in found.estimates} == {
        (figure, method) for figure in (cnc.FRONT, cnc.LOCAL, SIMILARITY) for method in methods
    }
    assert [len(claim.verdicts) for claim in found.claims] == [2, 2]


def test_the_default_is_compared_with_every_option(measured: Callable[[str], Results]) -> None:
    assert len(measured("cnc-ablations").claims[0].verdicts) == 3


def test_objects_overlap_and_differ() -> None:
    for case in islice(cnc.overlapping(), 4):
        assert cnc.both(case).sum() >= cnc.OVERLAP
        assert cnc.thing(case).shape != cnc.thing(other(case)).shape


def test_the_one_depth_of_both_is_the_foregrounds_where_it_is(tmp_path: Path) -> None:
    (case,) = islice(cnc.overlapping(), 1)
    whole = cv2.imread(str(tmp_path / cnc.one_depth(case, tmp_path)["image"]), cv2.IMREAD_GRAYSCALE) / 255
    ahead, behind = (shown([of], field)[0, 0].numpy() for of, field in ((case, "fg_depth"), (other(case), "depth")))
    inside = cnc.mask(case)
    assert np.allclose(whole[inside], ahead[inside], atol=0.01)
    assert np.allclose(whole[~inside], behind[~inside], atol=0.01)


def test_a_picture_is_judged_by_what_is_where(tmp_path: Path) -> None:
    """One put together of true pictures, and the same with the other object in front."""
    front, local, _ = cnc.figures(Contest(Sampling(), tmp_path, QUIET, Networks("tabletop")))
    some = list(islice(cnc.overlapping(), 24))
    ahead, behind = (shown(of, "image") * 2 - 1 for of in (some, list(map(other, some))))
    inside = torch.stack([torch.from_numpy(cnc.mask(case)) for case in some])[:, None]
    assert front.of(torch.where(inside, ahead, behind), some).mean() > 0.6
    assert front.of(behind, some).mean() < 0.2
    wanted, backdrop = zip(*map(cnc.exemplars, some), strict=True)
    placed = torch.where(inside, shown(list(wanted), "image") * 2 - 1, shown(list(backdrop), "background") * 2 - 1)
    swapped = torch.where(inside, shown(list(backdrop), "background") * 2 - 1, shown(list(wanted), "image") * 2 - 1)
    assert local.of(placed, some).mean() > local.of(swapped, some).mean() + 0.05
    assert placed.shape == (24, 3, SIZE, SIZE)
