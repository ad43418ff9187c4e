"""AMDM of models that know different things shows more of what was asked for than each of them (AMDM, Sec. 4).

Cases are scenes of two, three and four objects, as many as a caption names. An instance is shown, by COCO-MIG's rules,
where its shape is seen in its box (intersection over union of a half) and a fifth of it has its colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count as numbers
from itertools import islice

import torch
from torch import Tensor

from sluice.flows.evaluate.cases import Case, shown
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN, Outcome
from sluice.flows.evaluate.protocols import aggregates as by
from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.metrics.bootstrap import MINIMUM
from sluice.inference.metrics.instances import Instance, Score, instance_overlap, instance_score, instance_success_rate
from sluice.inference.metrics.judged import judged
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.scene import Thing

PARTS = ("unet_boxes", "ip_adapter", "judges")
LEVELS = (2, 3, 4)
TRUE = "true pictures"
SUCCESS, OVERLAP = "instance success", "instance mIoU"
DUELS = (
    *((by.AMDM, other) for other in (by.TEXT, by.BOXES, by.TOLD_BOTH)),
    *((by.WITH_PICTURE, other) for other in (by.BOXES, by.PICTURE)),
    *((by.THREE, other) for other in (by.TEXT, by.BOXES, by.PICTURE, by.TOLD_BOTH)),
)
"""Aggregates against what they are of, and against one model that is told as much."""
SAYS = "AMDM shows more of the instances than each of its models alone, and than one model told boxes and text."
DEFAULTS = "AMDM's defaults are those that measured best: boxes first, slerp, eta in shares, one start, w, s."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of all cases, and of those of each number of instances."""
    some, told = crowded(count), figures(contest.judges)
    found = contest("all", some, by.methods(contest.sampling), told)
    true = {(own.figure, TRUE): own.of(shown(some, "image") * 2 - 1, some) for own in told}
    found = replace(found, values=found.values | true)
    verdicts = {f"{one}, against {other}": found.better(SUCCESS, one, other) for one, other in DUELS}
    estimates = [own for outcome in (found, *by_level(found, some)) for own in outcome.estimates()]
    return estimates, [Claim(SAYS, BETTER, verdicts)]


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of all cases, the default against every other option."""
    found = contest("all", crowded(count), by.variants(contest.sampling), figures(contest.judges))
    return found.estimates(), [Claim(DEFAULTS, UNBEATEN, found.none_beats(SUCCESS, by.AMDM))]


def crowded(count: int) -> list[Case]:
    """So many in all, the first ones of each level."""
    each = [len(range(turn, count, len(LEVELS))) for turn in range(len(LEVELS))]
    return [case for level, some in zip(LEVELS, each, strict=True) for case in islice(of_level(level), some)]


def of_level(level: int) -> Iterator[Case]:
    """Scenes of so many objects, all of them in the picture, without end."""
    for number in numbers():
        case = Case(number, "objects")
        if len(case.scene.things) == level and all(right > left for left, _, right, _ in case.truth.boxes):
            yield case


def by_level(found: Outcome, some: list[Case]) -> Iterator[Outcome]:
    """L2 to L4, where there are cases enough for an interval."""
    for level in LEVELS:
        rows = [row for row, case in enumerate(some) if len(case.scene.things) == level]
        if len(rows) >= MINIMUM:
            yield found.among(f"L{level}", rows)


def figures(judges: Judges) -> list[Obeyed]:
    """Means over the instances of a picture."""

    def success(pictures: Tensor, some: list[Case]) -> Tensor:
        return torch.stack([instance_success_rate(own).mean() for own in scores(judges, pictures, some)])

    def overlap(pictures: Tensor, some: list[Case]) -> Tensor:
        return torch.stack([instance_overlap(own).mean() for own in scores(judges, pictures, some)])

    return [
        Obeyed(SUCCESS, "share of a picture's instances", "higher", success),
        Obeyed(OVERLAP, "intersection over union", "higher", overlap),
    ]


def scores(judges: Judges, pictures: Tensor, some: list[Case]) -> list[list[Score]]:
    """Of each picture's instances, as tabletop's judges see them."""
    found = []
    for picture, levels, case in zip(pictures, to_bytes(pictures), some, strict=True):
        detect, segment = judged(judges, picture)
        found.append([instance_score(levels, own, detect, segment) for own in instances(case)])
    return found


def instances(case: Case) -> list[Instance]:
    """What is asked for, boxes in pixels."""
    return [
        Instance(thing.shape, thing.colour, tuple(box))
        for thing, box in zip(case.scene.things, case.truth.boxes.tolist(), strict=True)
        if isinstance(thing, Thing)
    ]
