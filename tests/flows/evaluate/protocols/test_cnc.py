"""Compose and Conquer's comparison, whole by untrained networks in few steps; its figures on true pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

from sluice.flows.evaluate.cases import Case, other, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.protocols import cnc, fused, overlap
from sluice.flows.evaluate.worded import SIMILARITY
from sluice.infra.digests import sha256_of
from sluice.preprocess.record import Array, Record
from sluice.preprocess.stages.canny import ForegroundCanny, ForegroundCannyParameters
from sluice.preprocess.tabletop.words import plain_caption

QUIET = Console(quiet=True)


def test_every_figure_has_a_row_for_every_method(measured: Callable[[str], Results]) -> None:
    found = measured("cnc")
    ordered = {cnc.TEXT, cnc.ONE_DEPTH, cnc.DEPTHS, cnc.CNC, *fused.TRAINED_APART}
    likened = {cnc.DEPTHS, cnc.UNGUIDED, cnc.CNC, *fused.TRAINED_APART}
    assert {(own.condition, own.figure, own.method) for own in found.estimates} == {
        *((cnc.ORDERED, figure, method) for figure in (cnc.FRONT, SIMILARITY) for method in ordered),
        *((cnc.LIKENED, cnc.LOCAL, method) for method in likened),
        (cnc.ORDERED, cnc.FRONT, cnc.TRUE),
        (cnc.LIKENED, cnc.LOCAL, cnc.PASTED),
    }
    assert [len(claim.verdicts) for claim in found.claims] == [2, 2, 2, 1]
    assert {"cnc-local", "cnc-local-canny", "cnc-local-whole", "cnc-global", *cnc.NETWORKS} < found.made_of.keys()


def test_fusers_trained_apart_are_those_of_both_networks(contest: Contest) -> None:
    folders = {}
    for name, tree in fused.apart(contest).items():
        folders[name] = Path(tree(next(overlap.overlapping()))["of"]["model"]["fusers"])
        for part, network in fused.TRAINED_APART[name].items():
            assert sha256_of(folders[name] / part) == sha256_of(Path(contest.networks.of(network), part))
    assert folders.keys() == fused.TRAINED_APART.keys()
    assert set((contest.place / fused.FOLDER).iterdir()) == set(folders.values()), "and nothing else"


def test_without_them_the_rest_is_measured_and_it_is_said_how_to_have_them(
    contest: Contest, networks: Networks, tmp_path: Path
) -> None:
    for name in (*cnc.NETWORKS, "cnc-local", "cnc-local-canny", "cnc-local-whole"):
        shutil.copytree(Path(networks.place, name), tmp_path / "networks" / name)
    lacking = replace(contest, networks=Networks(str(tmp_path / "networks")))
    assert list(cnc.ordering(lacking)) == [cnc.TEXT, cnc.ONE_DEPTH, cnc.DEPTHS, cnc.CNC]
    assert list(cnc.likening(lacking)) == [cnc.DEPTHS, cnc.UNGUIDED, cnc.CNC]
    remedy = "`sluice train evidence --only cnc-global`, and then `--networks OUT/networks`"
    assert lacking.left_out == dict.fromkeys(fused.TRAINED_APART, remedy)
    assert fused.trained_apart(lacking) == {}


def test_edges_are_those_that_the_stages_make(tmp_path: Path) -> None:
    case = next(overlap.overlapping())
    ahead, behind = fused.edges(case, tmp_path)
    record = Record("0", values={"jpg": rendered(case), "mask.png": np.uint8(255) * overlap.mask(case)})
    ForegroundCanny(ForegroundCannyParameters.model_validate({}))([record])
    shown_ahead = cv2.imread(str(tmp_path / ahead), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(shown_ahead, record["fg_canny.png"])
    assert shown_ahead.any()
    assert behind == other(case).image("canny")


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


def rendered(case: Case) -> Array:
    """Its picture, `(height, width, 3)`."""
    return np.rint(case.levels("image") * 255).astype(np.uint8)


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


def test_fusers_that_another_run_has_put_together_meanwhile_are_taken(
    contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree

    def meanwhile(source: Path, to: Path) -> Path:
        monkeypatch.setattr(shutil, "copytree", copied)
        fused.apart(contest)
        return copied(source, to)

    monkeypatch.setattr(shutil, "copytree", meanwhile)
    assert set(fused.apart(contest)) == set(fused.TRAINED_APART)
    assert len(list((contest.place / fused.FOLDER).iterdir())) == len(fused.TRAINED_APART)
