"""Compose and Conquer's fusers by their training, compared whole by untrained networks in a step."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sluice.flows.evaluate.cases import Case, other
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks
from sluice.flows.evaluate.protocols import cnc, fusers, overlap
from sluice.flows.evaluate.protocols.fused import JOINT
from sluice.flows.evaluate.worded import SIMILARITY
from sluice.infra.digests import sha256_of
from sluice.preprocess.record import Array, Record
from sluice.preprocess.stages.canny import ForegroundCanny, ForegroundCannyParameters


def test_every_figure_has_a_row_for_every_training(measured: Callable[[str], Results]) -> None:
    found = measured("fusers")
    told = [(cnc.ORDERED, cnc.FRONT), (cnc.ORDERED, SIMILARITY), (cnc.LIKENED, cnc.LOCAL)]
    assert {(own.condition, own.figure, own.method) for own in found.estimates} == {
        (*figure, method) for figure in told for method in (*fusers.TRAINED_APART, cnc.CNC)
    }
    assert [len(claim.verdicts) for claim in found.claims] == [2, 1]
    assert {"cnc-local-canny", "cnc-local-whole", *fusers.NETWORKS} < found.made_of.keys()


def test_fusers_trained_apart_are_those_of_both_networks(contest: Contest) -> None:
    folders = {}
    for name, tree in fusers.trees(contest).items():
        folders[name] = Path(tree(next(overlap.overlapping()))["of"]["model"]["fusers"])
        for part, network in fusers.TRAINED_APART.get(name, dict.fromkeys(["local", "global"], JOINT)).items():
            assert sha256_of(folders[name] / part) == sha256_of(Path(contest.networks.of(network), part))
    assert folders.keys() == {*fusers.TRAINED_APART, cnc.CNC}
    apart = {folders[name] for name in fusers.TRAINED_APART}
    assert set((contest.place / fusers.FOLDER).iterdir()) == apart, "and nothing else"


def test_variants_that_are_not_there_are_left_out_and_it_is_said_how_to_have_them(
    contest: Contest, networks: Networks, tmp_path: Path
) -> None:
    for name in fusers.NETWORKS:
        shutil.copytree(Path(networks.place, name), tmp_path / "networks" / name)
    lacking = replace(contest, networks=Networks(str(tmp_path / "networks")))
    assert list(fusers.trees(lacking)) == [fusers.APART, cnc.CNC]
    assert lacking.left_out == {
        name: f"{tmp_path}/networks has no {network}; `sluice train evidence --only {network}`, and then "
        "`--networks OUT/networks`"
        for name, network in ((fusers.EDGES, "cnc-local-canny"), (fusers.WHOLE, "cnc-local-whole"))
    }
    assert fusers.networks(lacking).keys() == {"cnc-local", "cnc-global"}


def test_edges_are_those_that_the_stages_make(tmp_path: Path) -> None:
    case = next(overlap.overlapping())
    ahead, behind = fusers.edges(case, tmp_path)
    record = Record("0", values={"jpg": rendered(case), "mask.png": np.uint8(255) * overlap.mask(case)})
    ForegroundCanny(ForegroundCannyParameters.model_validate({}))([record])
    shown_ahead = cv2.imread(str(tmp_path / ahead), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(shown_ahead, record["fg_canny.png"])
    assert shown_ahead.any()
    assert behind == other(case).image("canny")


def rendered(case: Case) -> Array:
    """Its picture, `(height, width, 3)`."""
    return np.rint(case.levels("image") * 255).astype(np.uint8)


def test_fusers_that_another_run_has_put_together_meanwhile_are_taken(
    contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree

    def meanwhile(source: Path, to: Path) -> Path:
        monkeypatch.setattr(shutil, "copytree", copied)
        fusers.trees(contest)
        return copied(source, to)

    monkeypatch.setattr(shutil, "copytree", meanwhile)
    assert set(fusers.TRAINED_APART) < set(fusers.trees(contest))
    assert len(list((contest.place / fusers.FOLDER).iterdir())) == len(fusers.TRAINED_APART)
