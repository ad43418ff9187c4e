"""Two controls in conflict: minimal impact shows both better than sums of ControlNets (MIControlNet, Tables 1, 2).

Where one control speaks the other is silent, and a plain ControlNet takes silence for a plain surface. What is measured
is how far the conditions extracted anew from a picture are from those that were asked for, each where it speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from sluice.flows.evaluate.cases import Two
from sluice.flows.evaluate.claims import Claim, Estimate, Verdict
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.extracted import Extract
from sluice.flows.evaluate.methods import BASE, CONTROLNET, FIRST_STAGE, MICONTROLNET, REBALANCED, Method
from sluice.flows.evaluate.obeyed import Obeyed, seen_once
from sluice.flows.evaluate.outcome import BETTER, UNBEATEN, Outcome
from sluice.flows.evaluate.populations import Crop
from sluice.flows.evaluate.protocols.layouts import LAYOUTS, Spoken
from sluice.inference.combiners.multi_controlnet import BASELINES
from sluice.inference.metrics.condition_l1 import condition_l1

PAIRS = (("pose", "canny"), ("pose", "hed"), ("canny", "hed"), ("hed", "depth"))
EQUAL = (1.0, 1.0)
SUMS = {
    name: Method(
        name,
        CONTROLNET.kind,
        (REBALANCED if own.rebalanced else CONTROLNET).network,
        "min_norm" if own.balanced else None,
        None if own.strengths == EQUAL else own.strengths,
        optional=own.rebalanced,
    )
    for name, own in BASELINES.items()
}
"""ControlNets added, as the paper names them: balanced, retrained, one of them scaled."""
RULES = tuple(
    Method(f"{MICONTROLNET.name}, {rule}", MICONTROLNET.kind, MICONTROLNET.network, rule)
    for rule in ("min_norm", "as_printed")
)
LIMITS = tuple(replace(MICONTROLNET, name=f"{MICONTROLNET.name}, gain to {most:g}", limit=most) for most in (5.0, 80.0))
RIVALS = [own for own in SUMS.values() if own.strengths is None]
VARIANTS = (*RULES, *LIMITS, replace(FIRST_STAGE, optional=True))
METHODS = (BASE, *SUMS.values(), MICONTROLNET)
NETWORKS = tuple(
    f"{own.network}-{control}" for own in (CONTROLNET, MICONTROLNET) for control in ("canny", "hed", "depth", "pose")
)
ABLATED = tuple(f"{MICONTROLNET.network}-{control}" for control in ("canny", "hed", "depth", "pose"))
L1, UNIT = "L1 of both conditions", "of 0 to 1, a pixel"
OF_EACH = ("L1 of the first condition", "L1 of the second condition")
Placed = Callable[[Two], tuple[Spoken, Spoken]]
"""Of a case what both controls say."""
SAYS = "Minimal impact shows two controls in conflict better than sums of ControlNets, balanced, retrained or both."
DEFAULTS = (
    "Minimal impact's defaults, the rule unit_min_norm, gains to 20 and networks of stage 2, are those that measured "
    "best."
)


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every pair of controls in every layout; verdicts are of a pair, by the means of its cases over all layouts."""
    estimates: list[Estimate] = []
    better: dict[str, Verdict] = {}
    for found, layouts in pairs(contest, count, METHODS):
        estimates += [own for outcome in layouts for own in outcome.estimates()]
        name = found.condition
        rivals = [own.name for own in RIVALS if (L1, own.name) in found.values]
        better |= {f"{name}, against {own}": found.better(L1, MICONTROLNET.name, own) for own in rivals}
    return estimates, [Claim(SAYS, BETTER, better)]


def ablate(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """The same of the default, the other rules, other limits of gains, and networks of the first stage."""
    estimates: list[Estimate] = []
    best: dict[str, Verdict] = {}
    for found, layouts in pairs(contest, count, (MICONTROLNET, *VARIANTS)):
        estimates += [own for outcome in layouts for own in outcome.estimates()]
        best |= found.none_beats(L1, MICONTROLNET.name)
    return estimates, [Claim(DEFAULTS, UNBEATEN, best)]


def pictures(contest: Contest) -> int:
    """Of each case and seed; the base alone is the same in all layouts."""
    methods = (len(contest.there(METHODS, pair)) for pair in here(contest, METHODS))
    return sum(1 + len(LAYOUTS) * (own - 1) for own in methods)


def ablated(contest: Contest) -> int:
    """The same for ablations."""
    return sum(len(LAYOUTS) * (1 + len(contest.there(VARIANTS, pair))) for pair in here(contest, VARIANTS))


def here(contest: Contest, some: Sequence[Method]) -> list[tuple[str, str]]:
    """The pairs that can be measured of some methods; the others are left out."""
    return [pair for pair in PAIRS if contest.has(" + ".join(pair), pair, some)]


def pairs(contest: Contest, count: int, some: Sequence[Method]) -> Iterator[tuple[Outcome, list[Outcome]]]:
    """Of every pair of controls that can be measured, the means of all layouts, and each."""
    for pair in here(contest, some):
        told = contest.world.pairs(pair, count)
        there = contest.there(some, pair)
        layouts = [_in_layout(contest, pair, layout, told, there) for layout in LAYOUTS]
        yield Outcome.mean(" + ".join(pair), layouts), layouts


def _in_layout(
    contest: Contest, pair: tuple[str, str], layout: str, told: Sequence[Two], some: Sequence[Method]
) -> Outcome:
    @cache  # every figure of every method asks, and each time scenes are drawn and edges found
    def of(case: Two) -> tuple[Spoken, Spoken]:
        return LAYOUTS[layout](case, pair)

    name, measured = f"{' + '.join(pair)}, {layout}", figures(of, contest.world.extract)
    sets = contest.from_true(*(where_it_speaks(of, which) for which in range(len(pair))))
    return contest(name, told, methods(contest, of, some), measured, together=True, populations=sets)


def methods(contest: Contest, layout: Placed, some: Sequence[Method]) -> dict[str, Tree]:
    """Each told what a layout has for both controls."""

    def told(case: Two) -> list[dict[str, Any]]:
        return [own.told(contest.place) for own in layout(case)]

    return {method.name: contest.under(method, told) for method in some}


def where_it_speaks(layout: Placed, which: int) -> Crop:
    """Of pictures, and of a control's own case, what is where it speaks; grey elsewhere."""

    def speaks(some: list[Two]) -> Tensor:
        return torch.stack([torch.from_numpy(layout(case)[which].speaks) for case in some])[:, None]

    def true(some: list[Two]) -> Tensor:
        levels = torch.stack([torch.from_numpy(layout(case)[which].picture).permute(2, 0, 1) for case in some])
        return (levels * 2 - 1) * speaks(some)

    return Crop(f" where the {('first', 'second')[which]} speaks", lambda own, some: own * speaks(some), true)


def figures(layout: Placed, extract: Mapping[str, Extract]) -> list[Obeyed]:
    """Of both conditions, their mean, and of each."""

    def of(which: int) -> Callable[[Tensor, list[Two]], Tensor]:
        return seen_once(lambda pictures, some: apart(extract, pictures, [layout(case)[which] for case in some]))

    first, second = of(0), of(1)
    return [
        Obeyed(L1, UNIT, "lower", lambda pictures, some: (first(pictures, some) + second(pictures, some)) / 2),
        *(Obeyed(name, UNIT, "lower", own) for name, own in zip(OF_EACH, (first, second), strict=True)),
    ]


def apart(extract: Mapping[str, Extract], pictures: Tensor, wanted: list[Spoken]) -> Tensor:
    """L1 where a control speaks, `(batch,)`; depths from 0 to 1 there, as what is farthest and nearest there."""
    found = extract[wanted[0].control](pictures)
    asked = torch.stack([torch.from_numpy(own.levels).permute(2, 0, 1) for own in wanted])[:, : found.shape[1]]
    speaks = torch.stack([torch.from_numpy(own.speaks) for own in wanted])
    if wanted[0].control == "depth":
        found, asked = (spread(maps, speaks) for maps in (found, asked))
    return condition_l1(found, asked, speaks)


def spread(maps: Tensor, region: Tensor) -> Tensor:
    """Maps `(batch, 1, height, width)` from 0 to 1 by their extremes in a region `(batch, height, width)`."""
    inside = region[:, None]
    low = maps.where(inside, torch.inf).amin(dim=(1, 2, 3), keepdim=True)
    span = maps.where(inside, -torch.inf).amax(dim=(1, 2, 3), keepdim=True) - low
    return ((maps - low) / span.where(span > 0, 1)).clamp(0, 1)
