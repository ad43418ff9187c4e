"""How far a method's pictures are from true ones as a set: distances of the judges' features, and no FID or KID."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from sluice.flows.evaluate.claims import Estimate
from sluice.inference.metrics.bootstrap import Interval
from sluice.inference.metrics.frechet import frechet_distance
from sluice.inference.metrics.kid import kid

DISTANCES: dict[str, Callable[[Tensor, Tensor], float]] = {"FID-tabletop": frechet_distance, "KID-tabletop": kid}
UNIT = "of the judges' features; compare at equal n alone"
FEWEST = 16
"""Cases: of fewer the distances tell next to nothing."""
WIDE = 1.96


def population(condition: str, made: Mapping[str, Tensor], true: Tensor, seeds: int) -> Iterator[Estimate]:
    """Of each method's features `(cases seeds, width)` and those of the cases' true pictures `(cases, width)`.

    Intervals are of 95% by the jackknife over cases: drawn anew, a picture would be there twice and near to itself.
    """
    cases = len(true)
    if cases < FEWEST:
        return
    for figure, distance in DISTANCES.items():
        for method, features in made.items():
            own = features.reshape(cases, seeds, -1)
            estimate = distance(own.flatten(0, 1), true)
            without = [
                distance(own[kept].flatten(0, 1), true[kept]) for kept in (~torch.eye(cases, dtype=torch.bool)).unbind()
            ]
            found = torch.tensor(without, dtype=torch.float64)
            half = WIDE * float(((cases - 1) / cases * (found - found.mean()).square().sum()).sqrt())
            yield Estimate(figure, condition, method, UNIT, Interval(estimate, estimate - half, estimate + half), cases)
