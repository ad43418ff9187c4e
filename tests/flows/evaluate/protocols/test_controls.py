"""Silence, obedience and conservativity of control networks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.flows.evaluate import scenes
from sluice.flows.evaluate.cases import SIZE, cases, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks
from sluice.flows.evaluate.obeyed import obeyed
from sluice.flows.evaluate.protocols import conservativity, obedience, silence
from sluice.flows.evaluate.protocols.layouts import half
from sluice.preprocess.perception.judges import Judges

CONTROLS = {"canny": "two", "pose": "figures"}


@pytest.fixture(autouse=True)
def two_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "CONTROLS", CONTROLS)
    monkeypatch.setattr(conservativity, "LEVELS", (500,))
    monkeypatch.setattr(conservativity, "PROBES", 1)


@pytest.mark.parametrize(
    ("protocol", "figures", "methods"),
    [
        ("silence", {silence.TEXTURE, silence.NEARNESS}, {silence.REAL, *(own.name for own in silence.METHODS)}),
        ("obedience", {"edge F1", "PCK@0.2"}, {own.name for own in obedience.METHODS}),
        (
            "conservativity",
            {"Asym", "NAsym", "noise loss", "Asym, stage 2 / stage 1", "noise loss, stage 2 / stage 1"},
            {own.name for own in conservativity.STAGES},
        ),
    ],
)
def test_a_claim_has_its_figures_and_a_verdict_for_each_control(
    protocol: str, figures: set[str], methods: set[str], measured: Callable[[str], Results]
) -> None:
    found = measured(protocol)
    assert [list(claim.verdicts) for claim in found.claims] == [list(CONTROLS)]
    assert {own.figure for own in found.estimates} == figures
    assert {own.method for own in found.estimates} == methods
    assert all(own.interval.low <= own.interval.estimate <= own.interval.high for own in found.estimates)


def test_a_baseline_without_its_network_is_left_out_of_that_control_alone(
    contest: Contest, networks: Networks, tmp_path: Path
) -> None:
    lacked = "controlnet-rebalanced-canny"
    shutil.copytree(networks.place, tmp_path / "networks", ignore=shutil.ignore_patterns(lacked))
    lacking = replace(contest, networks=Networks(str(tmp_path / "networks")))
    assert list(silence.methods(lacking, "canny")) == [own.name for own in silence.METHODS if not own.optional]
    assert list(silence.methods(lacking, "pose")) == [own.name for own in silence.METHODS]
    assert silence.pictures(lacking) == silence.pictures(contest) - 1
    assert lacking.optional(silence.METHODS).keys() == {"controlnet-rebalanced-pose"}
    assert lacking.left_out == {
        "ControlNet** of canny": f"{tmp_path}/networks has no {lacked}; `sluice train evidence --only {lacked}`, and "
        "then `--networks OUT/networks`"
    }


def test_a_true_picture_obeys_its_own_control(untrained: Path) -> None:
    by, some = obeyed(Judges.load(untrained / "judges"), None), cases("two", 2)
    true = shown(some, "image") * 2 - 1
    assert by["canny"].of(true, some).tolist() == [1, 1]
    assert by["canny"].of(true.flip(3), some).max() < 0.9
    assert "hed" not in by


def test_either_half_is_silent_in_turn() -> None:
    masks = [half(case) for case in cases("two", 3)]
    assert masks[0][:, : SIZE // 2].all()
    assert not masks[0][:, SIZE // 2 :].any()
    assert (masks[0] == ~masks[1]).all()
    assert (masks[0] == masks[2]).all()
