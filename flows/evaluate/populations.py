"""What a method's pictures are as a set: how far from true ones, and how many things they show.

By the judges, figures are named after tabletop, since their features are not Inception's: no FID, no KID and no IS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.flows.evaluate.cases import shown
from sluice.flows.evaluate.claims import Estimate
from sluice.inference.metrics.bootstrap import Interval
from sluice.inference.metrics.fid import MINIMUM as FEWEST_OF_FID
from sluice.inference.metrics.frechet import frechet_distance
from sluice.inference.metrics.inception_score import MINIMUM, inception_score
from sluice.inference.metrics.kid import kid
from sluice.preprocess.perception.inception import Inception
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.shapes import SHAPES

Distance = Callable[[Tensor, Tensor], float]
"""Of features `(n, width)` and `(m, width)`."""
SCORE = "IS-tabletop"
AT_ONCE = 32
FEWEST = 16
"""Cases: of fewer the distances by judges tell next to nothing."""
GROUPS = 64
"""That the jackknife leaves out, at most: one case each, or several."""
WIDE = 1.96
Made = Iterable[tuple[str, Tensor]]
"""Each method, and its pictures `(cases seeds, 3, height, width)`."""
Measure = Callable[[str, Made, list[Any]], Iterator[Estimate]]
"""Of a condition, what was made, and of which cases: figures."""


@dataclass(frozen=True)
class Population:
    """Figures of pictures as sets; of so many `seeds` of each case they take `fewest` cases."""

    figures: str
    fewest: Callable[[int], int]
    measure: Measure


@dataclass(frozen=True)
class Crop:
    """What of pictures is set beside what of their cases, both `(batch, 3, height, width)`, values -1 to 1."""

    name: str
    made: Callable[[Tensor, list[Any]], Tensor]
    true: Callable[[list[Any]], Tensor]


@dataclass(frozen=True)
class Sight:
    """What makes features `(batch, width)` of pictures, and distances of sets of these, named after it."""

    features: Callable[[Tensor], Tensor]
    distances: Mapping[str, Distance]
    unit: str
    fewest: int


def by_judges(judges: Judges) -> Sight:
    """As tabletop's own see."""
    named = {"FID-tabletop": frechet_distance, "KID-tabletop": kid}
    return Sight(judges.features, named, "of the judges' features; compare at equal n alone", FEWEST)


def by_inception(network: Inception) -> Sight:
    """As the literature has it, but for the weights, which were not compared with the official ones."""

    def features(pictures: Tensor) -> Tensor:
        return torch.cat([network(own).cpu() for own in torch.split(pictures, AT_ONCE)])

    named = {"FID by this Inception": spanned_frechet, "KID by this Inception": kid}
    return Sight(features, named, "of its features; compare at equal n alone", FEWEST_OF_FID)


def spanned_frechet(made: Tensor, true: Tensor) -> float:
    """The Fréchet distance within the span of both sets, outside of which neither has any spread.

    It is the same number, of matrices as wide as there are pictures and not as Inception has features.
    """
    basis = torch.linalg.qr(torch.cat([made, true]).double().T).Q
    return frechet_distance(made.double() @ basis, true.double() @ basis)


WHOLE = Crop("", lambda pictures, _: pictures, lambda some: shown(some, "image") * 2 - 1)


def from_true(sight: Sight, crop: Crop = WHOLE) -> Population:
    """Distances of pictures to the true ones of their cases."""

    @torch.no_grad()
    def measure(condition: str, made: Made, some: list[Any]) -> Iterator[Estimate]:
        true = sight.features(crop.true(some))
        for method, pictures in made:
            each = [case for case in some for _ in range(len(pictures) // len(some))]
            seen = sight.features(crop.made(pictures, each))
            yield from distances(sight, crop.name, condition, method, seen, true)

    return Population(" and ".join(f"{own}{crop.name}" for own in sight.distances), lambda _: sight.fewest, measure)


def distances(sight: Sight, of: str, condition: str, method: str, made: Tensor, true: Tensor) -> Iterator[Estimate]:
    """Of features `(cases seeds, width)` to those of the cases' true pictures `(cases, width)`."""
    own = made.reshape(len(true), -1, made.shape[1])

    def apart(distance: Distance) -> Interval:
        return jackknife(len(true), lambda kept: distance(own[kept].flatten(0, 1), true[kept]))

    for figure, distance in sight.distances.items():
        yield Estimate(f"{figure}{of}", condition, method, sight.unit, apart(distance), len(true))


def scores(judges: Judges) -> Population:
    """How sure it is what each picture shows, and how many things all of them do; of MINIMUM pictures or more."""
    shapes = [class_number(shape) for shape in SHAPES]

    def score(pictures: Tensor, cases: int) -> Interval:
        areas = judges(pictures).classes().softmax(dim=1)[:, shapes].sum(dim=(2, 3)).reshape(cases, -1, len(shapes))
        return jackknife(cases, lambda kept: float(inception_score(areas[kept].flatten(0, 1).log(), splits=1)))

    @torch.no_grad()
    def measure(condition: str, made: Made, some: list[Any]) -> Iterator[Estimate]:
        for method, pictures in made:
            yield Estimate(SCORE, condition, method, f"of {len(shapes)} shapes", score(pictures, len(some)), len(some))

    # The jackknife leaves out a group of them, and of the rest as many pictures must be left.
    return Population(SCORE, lambda seeds: math.ceil(MINIMUM / seeds) + 2, measure)


def jackknife(cases: int, estimate: Callable[[Tensor], float]) -> Interval:
    """Of a figure of some cases, told which by a mask `(cases,)`: drawn anew, a picture would be near to itself.

    Left out in turn is one case, or of more than GROUPS one of as many groups: distances grow with the cube of cases.
    """
    groups = min(cases, GROUPS)
    group = torch.arange(cases) * groups // cases
    whole = estimate(torch.ones(cases, dtype=torch.bool))
    found = torch.tensor([estimate(group != own) for own in range(groups)], dtype=torch.float64)
    half = WIDE * float(((groups - 1) / groups * (found - found.mean()).square().sum()).sqrt())
    return Interval(whole, whole - half, whole + half)
