"""What a method's pictures are as a set, by the judges: how far from true ones, and how many things they show.

Figures are named after tabletop, since the judges' features are not Inception's: they are no FID, no KID and no IS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.flows.evaluate.cases import Case, shown
from sluice.flows.evaluate.claims import Estimate
from sluice.inference.metrics.bootstrap import Interval
from sluice.inference.metrics.frechet import frechet_distance
from sluice.inference.metrics.inception_score import MINIMUM, inception_score
from sluice.inference.metrics.kid import kid
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.shapes import SHAPES

DISTANCES: dict[str, Callable[[Tensor, Tensor], float]] = {"FID-tabletop": frechet_distance, "KID-tabletop": kid}
SCORE = "IS-tabletop"
UNIT = "of the judges' features; compare at equal n alone"
FEWEST = 16
"""Cases: of fewer the distances tell next to nothing."""
WIDE = 1.96

Population = Callable[[str, Mapping[str, Tensor], list[Case], int], Iterator[Estimate]]
"""Of a condition, each method's pictures `(cases seeds, 3, height, width)`, their cases, and the seeds: figures."""


@dataclass(frozen=True)
class Crop:
    """What of pictures is set beside what of their cases, both `(batch, 3, height, width)`, values -1 to 1."""

    name: str
    made: Callable[[Tensor, list[Case]], Tensor]
    true: Callable[[list[Case]], Tensor]


WHOLE = Crop("", lambda pictures, _: pictures, lambda some: shown(some, "image") * 2 - 1)


def from_true(judges: Judges, crop: Crop = WHOLE) -> Population:
    """Distances of pictures to the true ones of their cases, from FEWEST on."""

    @torch.no_grad()
    def measure(condition: str, made: Mapping[str, Tensor], some: list[Case], seeds: int) -> Iterator[Estimate]:
        if len(some) < FEWEST:
            return
        true, each = judges.features(crop.true(some)), [case for case in some for _ in range(seeds)]
        for method, pictures in made.items():
            yield from distances(crop.name, condition, method, judges.features(crop.made(pictures, each)), true)

    return measure


def distances(of: str, condition: str, method: str, made: Tensor, true: Tensor) -> Iterator[Estimate]:
    """Of features `(cases seeds, width)` to those of the cases' true pictures `(cases, width)`."""
    own = made.reshape(len(true), -1, made.shape[1])

    def apart(distance: Callable[[Tensor, Tensor], float]) -> Interval:
        return jackknife(len(true), lambda kept: distance(own[kept].flatten(0, 1), true[kept]))

    for figure, distance in DISTANCES.items():
        yield Estimate(f"{figure}{of}", condition, method, UNIT, apart(distance), len(true))


def scores(judges: Judges) -> Population:
    """How sure it is what each picture shows, and how many things all of them do; of MINIMUM pictures or more."""
    shapes = [class_number(shape) for shape in SHAPES]

    def score(pictures: Tensor, cases: int) -> Interval:
        areas = judges(pictures).classes().softmax(dim=1)[:, shapes].sum(dim=(2, 3)).reshape(cases, -1, len(shapes))
        return jackknife(cases, lambda kept: float(inception_score(areas[kept].flatten(0, 1).log(), splits=1)))

    @torch.no_grad()
    def measure(condition: str, made: Mapping[str, Tensor], some: list[Case], seeds: int) -> Iterator[Estimate]:
        if (len(some) - 1) * seeds < MINIMUM:  # the jackknife leaves one case out
            return
        for method, pictures in made.items():
            yield Estimate(SCORE, condition, method, f"of {len(shapes)} shapes", score(pictures, len(some)), len(some))

    return measure


def jackknife(cases: int, estimate: Callable[[Tensor], float]) -> Interval:
    """Of a figure of some cases, told which by a mask `(cases,)`: drawn anew, a picture would be near to itself."""
    whole = estimate(torch.ones(cases, dtype=torch.bool))
    without = [estimate(kept) for kept in ~torch.eye(cases, dtype=torch.bool)]
    found = torch.tensor(without, dtype=torch.float64)
    half = WIDE * float(((cases - 1) / cases * (found - found.mean()).square().sum()).sqrt())
    return Interval(whole, whole - half, whole + half)
