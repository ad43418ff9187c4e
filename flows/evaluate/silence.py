"""Where a control is silent, texture is as the model makes it, and not flattened (MIControlNet, Fig. 4a)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from sluice.flows.evaluate.cases import SIZE, Case, kept_image, shown
from sluice.flows.evaluate.claims import Claim, Estimate, Verdict, by_case, judged
from sluice.flows.evaluate.made import made
from sluice.flows.evaluate.methods import BASE, CONTROLNET, MICONTROLNET, REBALANCED, Networks, Sampling
from sluice.inference.metrics.bootstrap import of_mean, of_nearness
from sluice.inference.metrics.total_variation import silent_total_variation

METHODS = (BASE, CONTROLNET, REBALANCED, MICONTROLNET)
REAL, UNIT = "true pictures", "of -1 to 1, a pair of pixels"
SAYS = "Texture in silent regions is nearer to real pictures' than a plain ControlNet's."
RULE = (
    "One half of each control is silent. Of the distances between a method's mean total variation there and that of "
    "true pictures: MIControlNet's less ControlNet's, its 95% interval, paired by case, below 0. In part: the "
    "difference below 0, its interval not."
)


def measure(
    given: dict[str, list[Case]], networks: Networks, sampling: Sampling, place: Path, console: Console
) -> tuple[list[Estimate], Claim]:
    """Of every control, one half of it silent, the right and the left in turn."""
    estimates: list[Estimate] = []
    verdicts: dict[str, Verdict] = {}
    for control, some in given.items():
        silent = torch.stack([1 - _speaking(case, place)[1] for case in some])
        real = silent_total_variation(shown(some, "image") * 2 - 1, silent)
        found = {REAL: real}
        for method in METHODS:
            over = sampling.alone
            jobs = [sampling.job(case, method.model(over, networks, [_half(control, case, place)])) for case in some]
            values = silent_total_variation(made(jobs, place, console), silent.repeat_interleave(sampling.seeds, 0))
            found[method.name] = by_case(values, sampling.seeds)
        estimates += [
            Estimate("total variation in silence", control, name, UNIT, of_mean(values), len(values))
            for name, values in found.items()
        ]
        nearer = of_nearness(found[MICONTROLNET.name], found[CONTROLNET.name], real)
        told = "distance to true pictures, less ControlNet's"
        estimates.append(Estimate(told, control, MICONTROLNET.name, UNIT, nearer, len(real)))
        verdicts[control] = judged(nearer.high < 0, nearer.estimate < 0)
    return estimates, Claim(SAYS, RULE, verdicts)


def _half(control: str, case: Case, place: Path) -> dict[str, Any]:
    return {"control": control, "image": case.image(control), "speaks": _speaking(case, place)[0]}


def _speaking(case: Case, place: Path) -> tuple[str, Tensor]:
    """The mask of the half that speaks, as a file in `place` and as `(height, width)` of 0 and 1."""
    left = case.number % 2 == 0
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[:, slice(0, SIZE // 2) if left else slice(SIZE // 2, SIZE)] = 1
    return kept_image(mask, place), torch.from_numpy(mask)
