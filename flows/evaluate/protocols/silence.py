"""Where a control is silent, texture is as the model makes it, and not flattened (MIControlNet, Fig. 4a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sluice.flows.evaluate.cases import CONTROLS, AnyCase, kept_image, shown
from sluice.flows.evaluate.claims import ENOUGH, Claim, Estimate, Verdict, judged
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.methods import BASE, CONTROLNET, MICONTROLNET, REBALANCED
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.protocols.layouts import half
from sluice.inference.metrics.bootstrap import of_nearness
from sluice.inference.metrics.total_variation import silent_total_variation

METHODS = (BASE, CONTROLNET, REBALANCED, MICONTROLNET)
NETWORKS = tuple(f"{own.network}-{control}" for own in (CONTROLNET, MICONTROLNET) for control in CONTROLS)
REAL, UNIT = "true pictures", "of -1 to 1, a pair of pixels"
TEXTURE, NEARNESS = "total variation in silence", "distance to true pictures, less ControlNet's"
SAYS = "Texture in silent regions is nearer to real pictures' than a plain ControlNet's."
RULE = (
    "One half of each control is silent. Of the distances between a method's mean total variation there and that of "
    f"true pictures: MIControlNet's less ControlNet's, its 95% interval, paired by {ENOUGH} cases or more, below 0. In "
    "part: the difference below 0, its interval not."
)


def measure(contest: Contest, count: int) -> tuple[list[Estimate], list[Claim]]:
    """Of every control, one half of it silent, the right and the left in turn."""
    estimates: list[Estimate] = []
    verdicts: dict[str, Verdict] = {}
    figure = Obeyed(TEXTURE, UNIT, "higher", texture)
    for control in contest.controls(METHODS):
        some = contest.world.cases(control, count)
        found = contest(control, some, methods(contest, control), [figure], together=True)
        real = texture(shown(some, "image") * 2 - 1, some)
        found = replace(found, values={(TEXTURE, REAL): real, **found.values})
        ours, plain_ones = (found.values[TEXTURE, own.name] for own in (MICONTROLNET, CONTROLNET))
        nearer = of_nearness(ours, plain_ones, real)
        estimates += [*found.estimates(), Estimate(NEARNESS, control, MICONTROLNET.name, UNIT, nearer, len(real))]
        verdicts[control] = judged(nearer.high < 0, nearer.estimate < 0, len(real))
    return estimates, [Claim(SAYS, RULE, verdicts)]


def pictures(contest: Contest) -> int:
    """Of each case and seed."""
    return sum(map(len, contest.alone(METHODS).values()))


def methods(contest: Contest, control: str) -> dict[str, Tree]:
    """Under one half of the control of their case."""

    def told(case: AnyCase) -> list[dict[str, Any]]:
        speaks = kept_image(half(case).astype(np.float32), contest.place)
        return [{"control": control, "image": case.image(control), "speaks": speaks}]

    return {method.name: contest.under(method, told) for method in contest.there(METHODS, [control])}


def texture(pictures: Tensor, some: Sequence[AnyCase]) -> Tensor:
    """How much there is of it where the control of a case is silent."""
    return silent_total_variation(pictures, torch.from_numpy(np.stack([~half(case) for case in some])))
