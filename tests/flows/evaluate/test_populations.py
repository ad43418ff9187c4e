"""Distances of sets of pictures, with intervals over cases."""

from __future__ import annotations

import torch

from sluice.flows.evaluate.populations import DISTANCES, FEWEST, population


def draw(cases: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(cases, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_what_is_drawn_alike_is_near_and_what_is_not_is_far() -> None:
    true = draw(60, 0)
    made = {"alike": draw(120, 1), "apart": draw(120, 2, shift=1.0)}
    found = {(own.figure, own.method): own.interval for own in population("all", made, true, seeds=2)}
    for figure in DISTANCES:
        near, far = found[figure, "alike"], found[figure, "apart"]
        assert near.low < near.estimate < near.high < far.low
    assert found["KID-tabletop", "alike"].low < 0 < found["KID-tabletop", "alike"].high
    assert found["KID-tabletop", "apart"].low > 0


def test_an_interval_is_as_wide_as_sets_differ() -> None:
    """Against many sets drawn anew: 95% of an interval's width is within a half of what they spread."""
    shift = 0.5
    many = [next(population("", {"own": draw(40, 2 * n, shift)}, draw(40, 2 * n + 1), 1)) for n in range(60)]
    spread = torch.tensor([own.interval.estimate for own in many]).std()
    said = torch.tensor([(own.interval.high - own.interval.low) / (2 * 1.96) for own in many]).mean()
    assert 0.5 < said / spread < 1.5


def test_of_few_cases_nothing_is_said() -> None:
    few = FEWEST - 1
    assert list(population("all", {"own": draw(few, 0)}, draw(few, 1), seeds=1)) == []
