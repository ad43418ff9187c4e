"""How far a denoiser is from a gradient field: Asym and NAsym (MIControlNet, Fig. 4b, after Chao et al., 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.inference.metrics.checks import enough, finite
from sluice.training.conservativity import Predict, products, rademacher

PROBES = 8


@dataclass(frozen=True)
class Probed:
    """Means over probes, `(batch,)`: `|J v - J'v|^2 / 2`, and `(|J v|^2 + |J'v|^2) / 2`, that is `tr JJ'`."""

    difference: Tensor
    whole: Tensor


def probed(predict: Predict, x: Tensor, probes: int = PROBES, seed: int = 0) -> Probed:
    """The Jacobian of `predict`, shape to shape and sample by sample, at `x` `(batch, ...)`, seen by Rademacher probes.

    `x` is what the control network alone sees, where that part is meant. Raises Unmeasurable for NaN or no probe.
    """
    finite("Asym", x=x)
    enough("Asym", 1, probes=probes)
    generator = torch.Generator(x.device).manual_seed(seed)
    found = [products(predict, x, rademacher(x, generator)) for _ in range(probes)]
    whole = [(p.along.flatten(1).square().sum(dim=1) + p.back.flatten(1).square().sum(dim=1)) / 2 for p in found]
    return Probed(torch.stack([p.loss() for p in found]).mean(dim=0), torch.stack(whole).mean(dim=0))


def asym(of: Probed) -> Tensor:
    """`tr JJ' - tr JJ` `(batch,)`, a sum over x's dimensions: 0 or more; lower is better, 0 is a gradient field."""
    return of.difference


def nasym(of: Probed) -> Tensor:
    """Asym over `2 tr JJ'` `(batch,)`, each a mean over probes: 0 to 1; lower is better; no Jacobian is symmetric."""
    return of.difference / (2 * of.whole).clamp(min=torch.finfo(of.whole.dtype).tiny)
