"""Scenes made again by fusers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.flows.evaluate.cases import cases, shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.protocols import reconstruction
from sluice.flows.evaluate.worded import SIMILARITY


def test_every_method_has_its_likeness_and_its_depth(
    measured: Callable[[str], Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))
    found = measured("reconstruction")
    figures = (reconstruction.SSIM, reconstruction.DEPTH, SIMILARITY)
    fused = {reconstruction.DEPTHS, reconstruction.SEMANTICS, reconstruction.BOTH}
    methods = {reconstruction.TEXT, *fused, *map(reconstruction.untold, fused)}
    assert {(own.figure, own.method) for own in found.estimates} == {
        (figure, method) for figure in figures for method in methods
    }
    assert len(found.claims[0].verdicts) == 3 + 2


def test_a_true_picture_is_its_own_likeness(contest: Contest) -> None:
    likeness, *_ = reconstruction.figures(contest)
    some = cases("two", 3)
    true = shown(some, "image") * 2 - 1
    assert likeness.of(true, some).tolist() == pytest.approx([1, 1, 1])
    assert likeness.of(true.roll(1, 0), some).max() < 0.9
