"""Conflict-averse combination of gradients, in their Gram matrix alone (CAGrad, Eq. 5; Liu et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STEPS = 2000
TOLERANCE = 1e-10


def cagrad(gradients: Sequence[Tensor], c: float = 0.4) -> Tensor:
    """`g0 + c |g0| gw / |gw|`, g0 the mean, w on the simplex minimising `gw.g0 + c |g0| |gw|`; per sample.

    `gradients` are `(batch, ...)`; c = 0 is their mean. Where the mean is 0 the result is 0.
    """
    vectors = torch.stack([gradient.flatten(1) for gradient in gradients], dim=1)
    mean = vectors.mean(dim=1)
    if not c:
        return mean.reshape(gradients[0].shape)
    gram = (vectors @ vectors.mT).double()
    weights = cagrad_weights(gram, c).to(vectors.dtype)
    combined = torch.einsum("bk,bkd->bd", weights, vectors)
    length = combined.norm(dim=1, keepdim=True)
    reach = c * mean.norm(dim=1, keepdim=True) / length.clamp(min=torch.finfo(length.dtype).tiny)
    found: Tensor = (mean + reach * combined).reshape(gradients[0].shape)
    return found


def cagrad_weights(gram: Tensor, c: float) -> Tensor:
    """The weights `(batch, k)` of k gradients with these inner products `(batch, k, k)`, float64.

    The objective is convex and smooth away from 0; accelerated projected gradients with a restart where it rises.
    """
    batch, k, _ = gram.shape
    scale = gram.diagonal(dim1=1, dim2=2).amax(dim=1).clamp(min=torch.finfo(gram.dtype).tiny)
    gram = gram / scale[:, None, None]
    with_mean = gram.mean(dim=2)
    radius = c * gram.mean(dim=(1, 2)).clamp(min=0).sqrt()

    def value(w: Tensor) -> Tensor:
        return (w * with_mean).sum(dim=1) + radius * _length(w, gram)

    w = gram.new_full((batch, k), 1 / k)
    ahead, momentum = w, gram.new_ones(batch, 1)
    step = gram.new_full((batch, 1), 1.0)
    best = value(w)
    for _ in range(STEPS):
        slope = with_mean + radius[:, None] * torch.einsum("bij,bj->bi", gram, ahead) / _length(ahead, gram)[:, None]
        found = onto_simplex(ahead - step * slope)
        now = value(found)
        rises = (now > best)[:, None]
        step = torch.where(rises, step / 2, step)
        grown = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        next_ahead = found + (momentum - 1) / grown * (found - w)
        moved = (found - w).abs().amax()
        ahead = torch.where(rises, w, next_ahead)
        momentum = torch.where(rises, torch.ones_like(grown), grown)
        w, best = torch.where(rises, w, found), torch.minimum(best, now)
        if not bool(rises.any()) and float(moved) < TOLERANCE:
            break
    return w


def onto_simplex(points: Tensor) -> Tensor:
    """The nearest points `(batch, k)` with coordinates of 0 or more that sum to 1."""
    ordered = points.sort(dim=1, descending=True).values
    over = (ordered.cumsum(dim=1) - 1) / torch.arange(1, points.shape[1] + 1).to(points)
    kept = (ordered > over).sum(dim=1, keepdim=True)
    return (points - over.gather(1, kept - 1)).clamp(min=0)


def _length(w: Tensor, gram: Tensor) -> Tensor:
    return torch.einsum("bi,bij,bj->b", w, gram, w).clamp(min=1e-24).sqrt()
