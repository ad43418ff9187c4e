"""AMDM; its figures on true pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sluice.flows.evaluate.cases import shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.crowds import CrowdedScenes
from sluice.flows.evaluate.methods import Sampling
from sluice.flows.evaluate.outcome import Outcome
from sluice.flows.evaluate.protocols import aggregates, amdm
from sluice.infra.weights.models import find
from sluice.preprocess.perception.judges import Judges


def test_there_is_a_row_for_every_method(measured: Callable[[str], Results]) -> None:
    found = measured("amdm")
    assert {own.method for own in found.estimates} == {*aggregates.methods(Sampling()), amdm.TRUE}
    assert [len(claim.verdicts) for claim in found.claims] == [len(amdm.DUELS)]


@pytest.mark.slow
def test_the_default_is_compared_with_every_option(measured: Callable[[str], Results]) -> None:
    found = measured("amdm-ablations")
    assert len(aggregates.options()) == 3 * 2 * 2 - 1
    assert {own.method for own in found.estimates} == set(aggregates.variants(Sampling()))
    assert len(found.claims[0].verdicts) == 1 + 11 + 2 + 3


def test_instances_are_counted_apart_where_there_are_enough_for_an_interval(contest: Contest) -> None:
    some = contest.crowds.cases(4)
    found = Outcome("all", (), {("figure", "method"): torch.tensor([1.0, 3.0, 5.0, 7.0])})
    (level,) = amdm.by_level(contest, found, some)
    assert (level.condition, level.values["figure", "method"].tolist()) == ("L2", [1, 3])
    assert list(contest.left_out) == ["L3", "L4"]


def test_true_pictures_show_nearly_all_instances() -> None:
    crowds = CrowdedScenes(Judges.load(find("tabletop/judges").path))
    some = crowds.cases(12)
    assert [len(case.instances) for case in some] == [2] * 4 + [3] * 4 + [4] * 4
    success, _ = amdm.figures(crowds)
    assert success.of(shown(some, "image") * 2 - 1, some).mean() > 0.6
    assert success.of((shown(some, "image") * 2 - 1).flip(3), some).mean() < 0.2
