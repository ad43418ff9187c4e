"""Curves along the steps of a training, of networks that were saved on its way."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.methods import Networks
from sluice.flows.evaluate.protocols import convergence
from sluice.flows.evaluate.results import read
from sluice.flows.evaluate.settings import Settings
from sluice.flows.evaluate.suite import Place, evaluate
from sluice.infra.weights.models import MissingWeights, find


@pytest.fixture
def along(networks: Networks, tmp_path: Path) -> Networks:
    """Snapshots at two steps of which both networks have others; and at a third, of one alone; and a copy."""
    for name, other in zip(convergence.NETWORKS, ("controlnet-depth", "micontrolnet-1-depth"), strict=True):
        folder = tmp_path / "networks" / name / "snapshots"
        shutil.copytree(networks.of(name), folder / f"{150:09}")
        shutil.copytree(networks.of(other), folder / f"{300:09}")
        (folder / f"{300:09}.bak").mkdir()
    shutil.copytree(networks.of(name), folder / f"{450:09}")
    return Networks(str(tmp_path / "networks"))


def test_there_is_a_curve_for_each_network_over_the_steps_that_both_have(
    along: Networks, untrained: Path, tmp_path: Path
) -> None:
    at = Place(str(untrained), along, tmp_path, tmp_path / "results", Console(quiet=True))
    evaluate([("convergence", Settings(scenes=2, seeds=1, steps=1))], at)
    found = read(tmp_path / "results" / "convergence.json")
    assert [(own.method, own.at) for own in found.curves] == [(own.name, [150, 300]) for own in convergence.METHODS]
    assert {own.condition for own in found.estimates} == {"first half of the snapshots"}
    first = {own.method: own.intervals[0] for own in found.curves}
    assert {own.method: own.interval for own in found.estimates} == first
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2 * 4, "two scenes, two networks at two steps"
    measured = {
        f"{name} after {step} steps": find(str(along.snapshots(name) / f"{step:09}")).digest[:12]
        for name in convergence.NETWORKS
        for step in (150, 300)
    }
    assert (
        found.made_of
        == {untrained.name: find(str(untrained)).digest[:12], "judges": found.made_of["judges"]} | measured
    )
    assert len(set(measured.values())) == 4


def test_without_snapshots_the_error_says_what_makes_them(contest: Contest) -> None:
    with pytest.raises(MissingWeights, match="--only controlnet-canny --only micontrolnet-1-canny`"):
        convergence.snapshots(replace(contest, networks=Networks("tabletop")))
