"""Unite and Conquer: several models as one denoiser, their null predictions shared by reliability (Sec. 4, Eq. 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.inference.denoisers import Bound, Denoiser


@dataclass(frozen=True)
class United:
    """A model with its condition bound, its weight (1 or more), and its share `reliability` of the null."""

    model: Bound
    weight: float = 1.0
    reliability: float = 1.0


def unite(models: Sequence[United]) -> Denoiser:
    """`sum w_i eps_i(c_i) - (sum w_i - 1) sum a_j eps_j(null)`, the reliabilities a scaled to a sum of 1.

    Every model is asked once. This is guidance already, of scale `sum w_i`: no other goes inside or on top. Raises
    ValueError where no model is relied on, or latents differ in shape.
    """
    total = sum(own.reliability for own in models)
    if not total:
        raise ValueError("no model is relied on for the null prediction: give at least one a reliability above 0")
    scale = sum(own.weight for own in models)

    def denoiser(x: Tensor, t: float) -> Tensor:
        predicted = [(own, *own.model(x, t)) for own in models]
        conditional = _sum([own.weight * told for own, _, told in predicted])
        null = _sum([own.reliability / total * untold for own, untold, _ in predicted if own.reliability])
        return conditional - (scale - 1) * null

    return denoiser


def matched(model: Bound, own: Any, scheduler: Any) -> Bound:
    """A model of one schedule (`own`) for a path of another: asked at the time of equal signal-to-noise ratio.

    Both are variance-preserving, so that `x` and the predictions stay as they are (the paper's Sec. 7.2). Times between
    two training timesteps are fractions; beyond what a schedule reaches, its nearest end.
    """
    ratios, wanted = (_log_snr(each.alphas_cumprod) for each in (own, scheduler))
    return lambda x, t: model(x, _time_of(wanted[int(t)], ratios))


def _log_snr(alphas: Tensor) -> Tensor:
    return (alphas.double() / (1 - alphas.double())).log()


def _time_of(ratio: Tensor, ratios: Tensor) -> float:
    """Where a falling curve of log signal-to-noise ratios has this one; the nearest end beyond it."""
    after = int((ratios > ratio).sum())
    if after in {0, len(ratios)}:
        return float(min(after, len(ratios) - 1))
    high, low = ratios[after - 1], ratios[after]
    return float(after - 1 + (high - ratio) / (high - low))


def _sum(predictions: Sequence[Tensor]) -> Tensor:
    shapes = {tuple(prediction.shape[1:]) for prediction in predictions}
    if len(shapes) > 1:
        raise ValueError(f"models that are united predict latents of one shape, and these of {sorted(shapes)}")
    return torch.stack(list(predictions)).sum(dim=0)
