"""Verdicts over methods' figures."""

from __future__ import annotations

import pytest
import torch

from sluice.flows.evaluate.cases import Case
from sluice.flows.evaluate.claims import ENOUGH
from sluice.flows.evaluate.contest import examples
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.outcome import Outcome


def test_verdicts_are_by_paired_differences_on_the_better_side() -> None:
    values = torch.arange(float(ENOUGH))
    better = {"up": values, "down": values - 0.1}
    mixed = {"up": torch.tensor([1.0, 0.0, 0.5] * 6), "down": torch.tensor([0.0, 1.0, 0.0] * 6)}
    figures = tuple(Obeyed(own, "", own, lambda *_: torch.zeros(1)) for own in ("higher", "lower"))  # type: ignore[arg-type]
    found = Outcome("", figures, {(own.figure, name): better[name] for own in figures for name in better})
    assert [found.better("higher", *pair) for pair in (("up", "down"), ("down", "up"))] == ["holds", "not here"]
    assert [found.better("lower", *pair) for pair in (("up", "down"), ("down", "up"))] == ["not here", "holds"]
    assert [found.unbeaten("higher", *pair) for pair in (("up", "down"), ("down", "up"))] == ["holds", "not here"]
    unsure = Outcome("", figures, {("higher", name): mixed[name] for name in mixed})
    assert unsure.better("higher", "up", "down") == unsure.unbeaten("higher", "down", "up") == "in part"
    assert unsure.among("last", [1, 2]).values["higher", "up"].tolist() == [0, 0.5]
    fewer = found.among("fewer", range(ENOUGH - 1))
    assert fewer.better("higher", "up", "down") == fewer.unbeaten("higher", "up", "down") == "in part"
    assert found.none_beats("higher", "up") == {": higher, down": "holds"}


def test_of_several_outcomes_of_the_same_cases_each_case_counts_once() -> None:
    one, two = (
        Outcome(name, (), {("figure", "method"): torch.tensor([value, 4.0])})
        for name, value in (("a", 1.0), ("b", 2.0))
    )
    assert Outcome.mean("both", [one, two]).values["figure", "method"].tolist() == [1.5, 4]


def test_weighed_by_instances_a_mean_is_over_all_of_them() -> None:
    """Half of two instances, and one of six: two of eight."""
    figure = Obeyed("figure", "", "higher", lambda *_: torch.zeros(1))
    values = {("figure", "some"): torch.tensor([1 / 2, 1 / 6]), ("figure", "all"): torch.ones(2)}
    some, every = Outcome("all", (figure,), values, torch.tensor([2.0, 6.0])).estimates()
    assert some.interval.estimate == pytest.approx(2 / 8)
    assert (every.interval.low, every.interval.high) == pytest.approx((1, 1)), "a share is never more than all"


def test_the_first_cases_are_shown_and_those_in_which_the_last_method_does_worst() -> None:
    figure = Obeyed("figure", "", "higher", lambda *_: torch.zeros(1))
    values = {("figure", "one"): torch.zeros(6), ("figure", "last"): torch.tensor([0.0, 5, 5, 1, 0.5, 5])}
    outcome = Outcome("all", (figure,), values)
    some = [Case(number, "two") for number in range(6)]
    shown = list(examples(outcome, some, [f"{number}" for number in range(12)], ["one", "last"]))
    assert [own.pictures for own in shown] == [{"one": f"{row}", "last": f"{6 + row}"} for row in (0, 1, 2, 4)]
    first, worst = "among the first", "among the worst of last, by figure"
    assert [own.why for own in shown] == [worst, first, first, worst]
