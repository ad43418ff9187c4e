"""That controls are obeyed where they speak: what a picture shows, beside what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from sluice.flows.evaluate.cases import Case, shown
from sluice.flows.evaluate.claims import Claim, Estimate, Verdict, by_case, judged
from sluice.flows.evaluate.made import made
from sluice.flows.evaluate.methods import BASE, CONTROLNET, MICONTROLNET, Networks, Sampling
from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.metrics.bootstrap import of_difference, of_mean
from sluice.inference.metrics.condition_l1 import condition_l1
from sluice.inference.metrics.depth_mae import depth_mae
from sluice.inference.metrics.edge_f1 import edge_f1
from sluice.inference.metrics.pose import pck
from sluice.preprocess.perception.edges import canny
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array

METHODS = (BASE, CONTROLNET, MICONTROLNET)
SAYS = "Controls are obeyed where they speak."
RULE = (
    "Under whole controls, MIControlNet's pictures show what was asked for better than those of the base alone: the "
    "95% interval of the difference, paired by case, on the better side of 0. In part: the difference there, its "
    "interval not."
)
SHOULDERS, HIPS = (2, 5), (8, 11)
"""Of the 18 points."""
NEAREST = 0.1
"""Metres: depths below count as that, so that their inverse is bounded."""
TOTAL = "of 0 to 1, a pixel"


@dataclass(frozen=True)
class Obeyed:
    """How well pictures `(batch, 3, height, width)` show the control of their cases, a number each `(batch,)`."""

    figure: str
    unit: str
    better: Literal["higher", "lower"]
    of: Callable[[Tensor, list[Case]], Tensor]


def obeyed(judges: Judges, edges: Callable[[Array], Array] | None) -> dict[str, Obeyed]:
    """By control; soft edges only where their network is there."""
    found = {
        "canny": Obeyed("edge F1", "share", "higher", _edges),
        "depth": Obeyed("depth MAE", TOTAL, "lower", lambda pictures, some: _depth(judges, pictures, some)),
        "pose": Obeyed("PCK@0.2", "share of points", "higher", lambda pictures, some: _pose(judges, pictures, some)),
    }
    if edges is not None:
        found["hed"] = Obeyed("L1 of edges", TOTAL, "lower", lambda pictures, some: _soft(edges, pictures, some))
    return found


def measure(
    by: dict[str, Obeyed],
    given: dict[str, list[Case]],
    networks: Networks,
    sampling: Sampling,
    place: Path,
    console: Console,
) -> tuple[list[Estimate], Claim]:
    """Of every control, the whole of it."""
    estimates: list[Estimate] = []
    verdicts: dict[str, Verdict] = {}
    for control, some in given.items():
        how, each = by[control], [case for case in some for _ in range(sampling.seeds)]
        found: dict[str, Tensor] = {}
        for method in METHODS:
            over = sampling.alone
            jobs = [sampling.job(case, method.model(over, networks, [_whole(control, case)])) for case in some]
            found[method.name] = by_case(how.of(made(jobs, place, console), each), sampling.seeds)
        estimates += [
            Estimate(how.figure, control, name, how.unit, of_mean(values), len(values))
            for name, values in found.items()
        ]
        sign = 1 if how.better == "higher" else -1
        better = of_difference(sign * found[MICONTROLNET.name], sign * found[BASE.name])
        verdicts[control] = judged(better.low > 0, better.estimate > 0)
    return estimates, Claim(SAYS, RULE, verdicts)


def _whole(control: str, case: Case) -> dict[str, object]:
    return {"control": control, "image": case.image(control)}


def _edges(pictures: Tensor, some: list[Case]) -> Tensor:
    found = torch.from_numpy(np.stack([canny(own) > 0 for own in to_bytes(pictures)]))
    return edge_f1(found, shown(some, "canny")[:, 0] > 0)


def _soft(edges: Callable[[Array], Array], pictures: Tensor, some: list[Case]) -> Tensor:
    found = torch.from_numpy(edges(to_bytes(pictures)).astype(np.float32) / 255)[:, None]
    wanted = shown(some, "hed")[:, :1]
    return condition_l1(found, wanted, torch.ones_like(wanted[:, 0]))


@torch.no_grad()
def _depth(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    """Of inverse depths, as the control has them."""
    return depth_mae(1 / judges(pictures).depth()[:, 0].clamp(min=NEAREST), shown(some, "depth")[:, 0])


@torch.no_grad()
def _pose(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    """Of each scene's first figure, by the length of its torso."""
    wanted = torch.from_numpy(np.stack([case.truth.keypoints[0] for case in some])).float()
    torso = wanted[:, SHOULDERS, :2].mean(dim=1) - wanted[:, HIPS, :2].mean(dim=1)
    return pck(judges(pictures).points("pose"), wanted, torso.norm(dim=1))
