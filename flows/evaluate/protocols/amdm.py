"""AMDM of models that know different things shows more of what was asked for than each of them (AMDM, Sec. 4).

Cases are scenes of two, three and four objects, as many as a caption names, or what COCO-MIG's file asks for. An
instance is shown, by COCO-MIG's rules, where its noun is seen in its box (intersection over union of a half) and a
fifth of it has its colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from sluice.flows.evaluate.cases import shown
from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.crowds import Crowd, Crowds
from sluice.flows.evaluate.obeyed import Obeyed, seen_once
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN, Outcome
from sluice.flows.evaluate.protocols import aggregates as by
from sluice.flows.evaluate.world import Lack
from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.metrics.bootstrap import MINIMUM
from sluice.inference.metrics.instances import Score, instance_overlap, instance_score, instance_success_rate

PARTS = ("unet_boxes", "ip_adapter", "judges")
TOLD_WHERE = ("unet_boxes",)
TRUE = "true pictures"
SUCCESS, OVERLAP = "instance success", "instance mIoU"
DUELS = (
    *((by.AMDM, other) for other in (by.TEXT, by.BOXES, by.TOLD_BOTH)),
    *((by.WITH_PICTURE, other) for other in (by.BOXES, by.PICTURE)),
    *((by.THREE, other) for other in (by.TEXT, by.BOXES, by.PICTURE, by.TOLD_BOTH)),
)
"""Aggregates against what they are of, and against one model that is told as much."""
SAYS = "AMDM shows more of the instances than each of its models alone, and than one model told boxes and text."
DEFAULTS = "AMDM's defaults are those that measured best: text first, slerp, eta in shares, one start, w, s."


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of all cases, and of those of each number of instances."""
    crowds, methods = contest.crowds, by.methods(contest.sampling, contest.crowds.pictured)
    some, told = crowds.cases(count), figures(crowds)
    found = contest("all", some, methods, told, populations=None if crowds.pictured else [])
    if crowds.pictured:
        true = {(own.figure, TRUE): own.of(shown(some, "image") * 2 - 1, some) for own in told}
        found = replace(found, values=found.values | true)
    of_all = replace(found, weights=instances(some))
    verdicts = {
        f"{one}, against {other}": of_all.better(SUCCESS, one, other)
        for one, other in DUELS
        if one in methods and other in methods
    }
    estimates = [own for outcome in (of_all, *by_level(contest, found, some)) for own in outcome.estimates()]
    return estimates, [Claim(SAYS, BETTER, verdicts)]


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of all cases, the default against every other option."""
    crowds = contest.crowds
    some, methods = crowds.cases(count), by.variants(contest.sampling)
    found = contest("all", some, methods, figures(crowds), populations=None if crowds.pictured else [])
    of_all = replace(found, weights=instances(some))
    return of_all.estimates(), [Claim(DEFAULTS, UNBEATEN, of_all.none_beats(SUCCESS, by.AMDM))]


def instances(some: Sequence[Crowd]) -> Tensor:
    """How many each case has, `(cases,)`: COCO-MIG's totals are over instances."""
    return torch.tensor([float(len(case.instances)) for case in some])


def by_level(contest: Contest, found: Outcome, some: Sequence[Crowd]) -> Iterator[Outcome]:
    """L2, L3 and so on, where there are cases enough for an interval."""
    for level in sorted({len(case.instances) for case in some}):
        rows = [row for row, case in enumerate(some) if len(case.instances) == level]
        if len(rows) >= MINIMUM:
            yield found.among(f"L{level}", rows)
        else:
            contest.leave_out(f"L{level}", Lack.of_cases(MINIMUM, len(rows)))


def figures(crowds: Crowds) -> list[Obeyed]:
    """Means over the instances of a picture."""
    seen = seen_once(lambda pictures, some: scores(crowds, pictures, some))

    def success(pictures: Tensor, some: list[Crowd]) -> Tensor:
        return torch.stack([instance_success_rate(own).mean() for own in seen(pictures, some)])

    def overlap(pictures: Tensor, some: list[Crowd]) -> Tensor:
        return torch.stack([instance_overlap(own).mean() for own in seen(pictures, some)])

    return [
        Obeyed(SUCCESS, "share of instances", "higher", success),
        Obeyed(OVERLAP, "intersection over union", "higher", overlap),
    ]


def scores(crowds: Crowds, pictures: Tensor, some: list[Crowd]) -> list[list[Score]]:
    """Of each picture's instances."""
    found = []
    for picture, levels, case in zip(pictures, to_bytes(pictures), some, strict=True):
        detect, segment = crowds.sees(picture)
        found.append([instance_score(levels, own, detect, segment) for own in case.instances])
    return found
