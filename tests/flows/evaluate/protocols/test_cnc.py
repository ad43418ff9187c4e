"""Compose and Conquer's comparison, whole by untrained networks in few steps; its figures on true pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console

from sluice.flows.evaluate.cases import Case, other, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.protocols import cnc, overlap
from sluice.flows.evaluate.worded import SIMILARITY
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.words import plain_caption

QUIET = Console(quiet=True)


def test_every_figure_has_a_row_for_every_method(measured: Callable[[str], Results]) -> None:
    found = measured("cnc")
    ordered = {cnc.TEXT, cnc.ONE_DEPTH, cnc.DEPTHS, cnc.CNC}
    likened = {cnc.DEPTHS, cnc.UNGUIDED, cnc.CNC}
    assert {(own.condition, own.figure, own.method) for own in found.estimates} == {
        *((cnc.ORDERED, figure, method) for figure in (cnc.FRONT, SIMILARITY) for method in ordered),
        *((cnc.LIKENED, cnc.LOCAL, method) for method in likened),
        (cnc.ORDERED, cnc.FRONT, cnc.TRUE),
        (cnc.LIKENED, cnc.LOCAL, cnc.PASTED),
    }
    assert [len(claim.verdicts) for claim in found.claims] == [2, 2]
    assert {*cnc.NETWORKS} < found.made_of.keys()


def test_the_default_is_compared_with_every_option(measured: Callable[[str], Results]) -> None:
    found = measured("cnc-ablations")
    assert len(found.claims[0].verdicts) == 2 + 3 * 2
    assert [(own.figure, own.method) for own in found.curves] == [
        (part, f"lambda {which}") for part in cnc.OF_PART for which in cnc.SWEEPS
    ]
    means = {(own.figure, own.method): own.interval for own in found.estimates}
    for own in found.curves:
        assert own.at == [0.5, 1, 2]
        assert own.intervals[1] == means[own.figure, cnc.CNC]


def test_objects_overlap_and_differ() -> None:
    for case in islice(overlap.overlapping(), 4):
        assert overlap.both(case).sum() >= overlap.PIXELS
        assert overlap.thing(case).shape != overlap.thing(other(case)).shape


def test_the_one_depth_of_both_is_the_foregrounds_where_it_is(tmp_path: Path) -> None:
    (case,) = islice(overlap.overlapping(), 1)
    whole = cv2.imread(str(tmp_path / overlap.one_depth(case, tmp_path)["image"]), cv2.IMREAD_GRAYSCALE) / 255
    ahead, behind = (shown([of], field)[0, 0].numpy() for of, field in ((case, "fg_depth"), (other(case), "depth")))
    inside = overlap.mask(case)
    assert np.allclose(whole[inside], ahead[inside], atol=0.01)
    assert np.allclose(whole[~inside], behind[~inside], atol=0.01)


def test_words_name_the_object_in_front_first_and_last_in_turns() -> None:
    some = list(islice(overlap.overlapping(), 4))
    first = [case.prompt.startswith(plain_caption(overlap.thing(case))) for case in some]
    assert first == [True, False, True, False]
    assert replace(some[0], words="").prompt == "", "and none are none"


def test_a_picture_is_judged_by_what_is_where(tmp_path: Path) -> None:
    """One put together of true pictures, and the same with the other object in front."""
    contest = Contest(Sampling(), tmp_path, QUIET, Networks("tabletop"))
    (front, _), (local,) = cnc.placement(contest), cnc.likeness(contest)
    some = list(islice(overlap.overlapping(), 24))

    def pictures(levels: Callable[[Case], Array]) -> torch.Tensor:
        return torch.from_numpy(np.stack([levels(case) for case in some])).permute(0, 3, 1, 2) * 2 - 1

    def swapped(case: Case) -> Array:
        wanted, backdrop = overlap.exemplars(case)
        return np.where(overlap.mask(case)[..., None], backdrop.levels("background"), wanted.levels("image"))

    assert front.of(pictures(overlap.composite), some).mean() > 0.6
    assert front.of(pictures(lambda case: other(case).levels("image")), some).mean() < 0.2
    assert local.of(pictures(overlap.pasted), some).mean() > local.of(pictures(swapped), some).mean() + 0.05
