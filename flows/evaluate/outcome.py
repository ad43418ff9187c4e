"""What methods' pictures show over the same cases, and which are better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.flows.evaluate.claims import ENOUGH, Estimate, Verdict, judged
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.inference.metrics.bootstrap import Interval, of_difference, of_mean

BETTER = (
    f"Of {ENOUGH} cases or more the 95% interval of the difference, paired by case, is on the better side of 0. In "
    "part: the difference is, its interval not."
)
UNBEATEN = (
    f"Of {ENOUGH} cases or more the variant's mean is no better than the default's. In part: it is, but the 95% "
    "interval of the difference, paired by case, holds 0."
)


@dataclass(frozen=True)
class Outcome:
    """Of each figure and method a number for each case, `(cases,)`, under one condition.

    Cases weigh alike, or as `weights` says, `(cases,)`.
    """

    condition: str
    figures: tuple[Obeyed, ...]
    values: dict[tuple[str, str], Tensor]
    weights: Tensor | None = None

    @property
    def cases(self) -> int:
        """How many."""
        return len(next(iter(self.values.values())))

    def estimates(self) -> list[Estimate]:
        """Every mean with its interval."""
        units = {figure.figure: figure.unit for figure in self.figures}
        return [
            Estimate(figure, self.condition, method, units[figure], of_mean(values, weights=self.weights), len(values))
            for (figure, method), values in self.values.items()
        ]

    def among(self, condition: str, rows: Sequence[int]) -> Outcome:
        """Of some of the cases alone."""
        weights = None if self.weights is None else self.weights[list(rows)]
        values = {key: own[list(rows)] for key, own in self.values.items()}
        return Outcome(condition, self.figures, values, weights)

    @classmethod
    def mean(cls, condition: str, several: Sequence[Outcome]) -> Outcome:
        """Of the same cases, measured several times: each counts once."""
        first = several[0]
        values = {key: torch.stack([own.values[key] for own in several]).mean(dim=0) for key in first.values}
        return cls(condition, first.figures, values)

    def better(self, figure: str, method: str, other: str) -> Verdict:
        """Whether a method is better than another (BETTER)."""
        found = self._difference(figure, method, other)
        return judged(found.low > 0, found.estimate > 0, self.cases)

    def unbeaten(self, figure: str, default: str, variant: str) -> Verdict:
        """Whether a variant is no better than the default (UNBEATEN)."""
        found = self._difference(figure, variant, default)
        return judged(found.estimate <= 0, found.low <= 0, self.cases)

    def none_beats(self, figure: str, default: str) -> dict[str, Verdict]:
        """Of every other method, whether the default is unbeaten."""
        others = [method for own, method in self.values if own == figure and method != default]
        return {f"{self.condition}: {figure}, {own}": self.unbeaten(figure, default, own) for own in others}

    def _difference(self, figure: str, one: str, other: str) -> Interval:
        return of_difference(self._signed(figure, one), self._signed(figure, other), weights=self.weights)

    def _signed(self, figure: str, method: str) -> Tensor:
        """Higher is better."""
        better = next(own.better for own in self.figures if own.figure == figure)
        return self.values[figure, method] * (1 if better == "higher" else -1)
