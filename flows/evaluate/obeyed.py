"""How well pictures show what was asked for, a number each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from sluice.flows.evaluate.cases import AnyCase, shown
from sluice.flows.evaluate.extracted import HED, Extract, extractors
from sluice.inference.metrics.condition_l1 import condition_l1
from sluice.inference.metrics.depth_mae import depth_mae
from sluice.inference.metrics.edge_f1 import edge_f1
from sluice.inference.metrics.pose import pck
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array

SHOULDERS, HIPS = (2, 5), (8, 11)
"""Of the 18 points."""
TOTAL, EDGES = "of 0 to 1, a pixel", "edges"

T = TypeVar("T")
People = Callable[[Tensor], Sequence[Tensor]]
"""Of pictures `(batch, 3, height, width)` the figures seen in each, `(people, 18, 3)`."""


@dataclass(frozen=True)
class Obeyed:
    """How well pictures `(batch, 3, height, width)` show the control of their cases, a number each `(batch,)`.

    Cases are those of the world that the figure was made for.
    """

    figure: str
    unit: str
    better: Literal["higher", "lower"]
    of: Callable[[Tensor, list[Any]], Tensor]


def seen_once(see: Callable[[Tensor, list[Any]], T]) -> Callable[[Tensor, list[Any]], T]:
    """What several figures ask of the same pictures, one after the other: seen for the first, told to the others."""
    last: list[tuple[Tensor, T]] = []

    def seen(pictures: Tensor, some: list[Any]) -> T:
        if not last or last[0][0] is not pictures:
            last[:] = [(pictures, see(pictures, some))]
        return last[0][1]

    return seen


def obeyed(judges: Judges, edges: Callable[[Array], Array] | None) -> dict[str, Obeyed]:
    """Of tabletop, by control; soft edges only where their network is there."""
    return by_control(extractors(judges, edges), lambda pictures: _figure(judges, pictures))


def by_control(extract: dict[str, Extract], people: People | None) -> dict[str, Obeyed]:
    """Edges by F1, depth by MAE, poses by PCK where people are seen, all else by L1."""
    named: dict[str, Callable[[Extract], Obeyed]] = {"canny": _edges, "depth": _depth}
    if people is not None:
        named["pose"] = lambda _: _pose(people)
    return {
        control: named[control](own) if control in named else _apart(own, control) for control, own in extract.items()
    }


def _edges(extract: Extract) -> Obeyed:
    return Obeyed(
        "edge F1",
        "share",
        "higher",
        lambda pictures, some: edge_f1(extract(pictures)[:, 0] > 0, shown(some, "canny")[:, 0] > 0),
    )


def _depth(extract: Extract) -> Obeyed:
    """Of inverse depths, as the control has them."""
    return Obeyed(
        "depth MAE",
        TOTAL,
        "lower",
        lambda pictures, some: depth_mae(extract(pictures)[:, 0], shown(some, "depth")[:, 0]),
    )


def _apart(extract: Extract, field: str) -> Obeyed:
    def measure(pictures: Tensor, some: Sequence[AnyCase]) -> Tensor:
        found = extract(pictures)
        wanted = shown(some, field)[:, : found.shape[1]]
        return condition_l1(found, wanted, torch.ones_like(wanted[:, 0]))

    return Obeyed(f"L1 of {EDGES if field == HED else field}", TOTAL, "lower", measure)


def _pose(people: People) -> Obeyed:
    """Of each case's first figure, by the length of its torso: the nearest to it of all that are seen."""

    def measure(pictures: Tensor, some: Sequence[AnyCase]) -> Tensor:
        pairs = zip(people(pictures), (torch.from_numpy(case.people[0]).float() for case in some), strict=True)
        return torch.stack([_nearest(found, wanted) for found, wanted in pairs])

    return Obeyed("PCK@0.2", "share of points", "higher", measure)


def _nearest(found: Tensor, wanted: Tensor) -> Tensor:
    if not len(found):
        return torch.zeros(())
    torso = wanted[SHOULDERS, :2].mean(dim=0) - wanted[HIPS, :2].mean(dim=0)
    return pck(found, wanted, torso.norm()).amax()


@torch.no_grad()
def _figure(judges: Judges, pictures: Tensor) -> Sequence[Tensor]:
    return judges(pictures).points("pose")[:, None].unbind()
