"""The evidence of training, measured whole on two scenes, by untrained networks in few steps; and its page."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from sluice.flows.evaluate import asymmetry, obedience, silence
from sluice.flows.evaluate.cases import SIZE, cases, shown
from sluice.flows.evaluate.made import made
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.results import keep, page, read
from sluice.flows.evaluate.training import measure_training
from sluice.infra.models import MissingWeights
from sluice.preprocess.perception.judges import Judges

QUIET = Console(quiet=True)
CONTROLS = ["canny", "pose"]


def test_every_claim_has_its_figures_and_a_verdict_for_each_control(
    networks: Networks, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asymmetry, "LEVELS", (500,))
    monkeypatch.setattr(asymmetry, "PROBES", 1)
    sampling = Sampling(str(untrained), steps=2, seeds=2)
    judges = str(untrained / "judges")
    found = measure_training(networks, CONTROLS, judges, 2, sampling, tmp_path, QUIET)
    assert [list(claim.verdicts) for claim in found.claims] == [CONTROLS] * 3
    figures = {estimate.figure for estimate in found.estimates}
    assert {"total variation in silence", "edge F1", "PCK@0.2", "Asym", "NAsym", "noise loss"} <= figures
    assert all(own.interval.low <= own.interval.estimate <= own.interval.high for own in found.estimates)
    keep(found, tmp_path / "training.json")
    assert read(tmp_path / "training.json") == found
    assert all(claim.says in page([found]) for claim in found.claims)
    assert len(list((tmp_path / "pictures").glob("*.png"))) == len(CONTROLS) * 2 * 2 * (4 + 2)  # the base alone once


def test_what_was_made_is_not_made_again(untrained: Path, tmp_path: Path) -> None:
    sampling = Sampling(str(untrained), steps=1, seeds=2)
    jobs = [sampling.job(case, sampling.alone) for case in cases("two", 2)]
    first = made(jobs, tmp_path, QUIET)
    assert first.shape == (4, 3, SIZE, SIZE)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "pictures").iterdir()}
    assert torch.equal(made(jobs[::-1], tmp_path, QUIET), first.roll(2, 0))
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "pictures").iterdir()}


def test_soft_edges_without_their_network_are_left_out_and_this_is_said(
    networks: Networks, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))
    monkeypatch.setattr(asymmetry, "LEVELS", (500,))
    monkeypatch.setattr(asymmetry, "PROBES", 1)
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    sampling = Sampling(str(untrained), steps=1, seeds=1)
    found = measure_training(networks, ["pose", "hed"], str(untrained / "judges"), 2, sampling, tmp_path, console)
    assert [list(claim.verdicts) for claim in found.claims] == [["pose"]] * 3
    assert isinstance(console.file, io.StringIO)
    assert "hed is left out: its network is not here; `sluice models pull hed`" in console.file.getvalue()


def test_networks_that_are_not_there_are_named_before_anything_is_made(untrained: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="'tabletop/controlnet-canny' does not ship yet: make it by"):
        measure_training(
            Networks("tabletop"), ["canny"], str(untrained / "judges"), 2, Sampling(str(untrained)), tmp_path, QUIET
        )
    assert not (tmp_path / "pictures").exists()


def test_a_true_picture_obeys_its_own_control(untrained: Path) -> None:
    by, some = obedience.obeyed(Judges.load(untrained / "judges"), None), cases("two", 2)
    true = shown(some, "image") * 2 - 1
    assert by["canny"].of(true, some).tolist() == [1, 1]
    assert by["canny"].of(true.flip(3), some).max() < 0.9
    assert "hed" not in by


def test_either_half_is_silent_in_turn(tmp_path: Path) -> None:
    masks = [silence._speaking(case, tmp_path) for case in cases("two", 3)]
    assert [name for name, _ in masks] == [masks[0][0], masks[1][0], masks[0][0]]
    assert masks[0][1][:, : SIZE // 2].all()
    assert torch.equal(masks[0][1], 1 - masks[1][1])
    assert [float(mask.mean()) for _, mask in masks] == [0.5] * 3
