"""Minimal impact: control features weighed so that they work against neither the U-Net nor each other.

The point of smallest norm in the convex hull of some vectors has a non-negative inner product with each of them
(MIControlNet, Sec. 3.2). A vector is one sample's feature map, `(batch, ...)` flattened; weights are per sample, and
accumulated in float32 at least. Weights are inputs of what they weigh: whoever differentiates holds them, or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

MAX_GAIN = 20.0
FADED, FULL = 1e-3, 1e-2
"""A control's norm, as a share of the largest, up to which it does not count at all, and from which it counts whole."""
SHORTEST = 0.1
"""Norm of the unit vectors' minimal-norm point below which controls oppose each other and fade."""
MOST_CONTROLS = 8


def minimal_norm_weight(u: Tensor, v: Tensor) -> Tensor:
    """The weight `(batch,)` of `u` in the shortest vector between `u` and `v` (MIControlNet, Eq. 8); 0 where u = v."""
    u, v = _vectors(u), _vectors(v)
    apart = v - u
    length = apart.square().sum(dim=1)
    tiny = torch.finfo(length.dtype).tiny
    return ((apart * v).sum(dim=1) / length.clamp(min=tiny)).clamp(0, 1)


def injection_gain(feature: Tensor, control: Tensor, most: float = MAX_GAIN) -> Tensor:
    """What a control is multiplied with before it is added to a U-Net feature, `(batch,)`, 0 to `most` (Eq. 10).

    `l / (1 - l)`, l the weight of the control, so that the feature's own coefficient stays 1. A control of zeros, as it
    is at first, has the largest gain, finite in every dtype.
    """
    weight = minimal_norm_weight(control, feature).clamp(max=most / (most + 1))
    return weight / (1 - weight)


def inject(feature: Tensor, control: Tensor, gain: Tensor, strength: float = 1.0) -> Tensor:
    """`feature + strength * gain * control`. Strength comes after the gain, which a weaker control would only raise."""
    return feature + _along(strength * gain, control) * control


def min_norm(controls: Sequence[Tensor]) -> Tensor:
    """Weights `(batch, n)` of the shortest vector in the hull of n controls: agrees with all, leans to the shortest.

    Controls that have all but vanished fade out, and silence no other. Raises ValueError for more than eight.
    """
    gram = _gram(controls)
    return _faded(_norms(gram), *_points(gram))


def unit_min_norm(controls: Sequence[Tensor]) -> Tensor:
    """Weights `(batch, n)` of the controls' shared direction, as long as the longest: none wins by being short.

    The shortest vector in the hull of the *unit* vectors gives the direction. Where they nearly oppose each other it is
    not stretched to full length. Raises ValueError for more than eight.
    """
    gram = _gram(controls)
    norms = _norms(gram)
    scale = torch.where(norms > 0, norms, 1)
    units = gram / (scale[:, :, None] * scale[:, None, :])
    weights, lengths = _points(units)
    longest = norms.amax(dim=1)[:, None, None]
    return _faded(
        norms, weights * longest / lengths.sqrt().clamp(min=SHORTEST)[:, :, None] / scale[:, None, :], lengths
    )


def as_printed(controls: Sequence[Tensor]) -> Tensor:
    """Weights `(batch, 2)` as Eq. 12 is printed, each control with the other's: leans to the longer, may oppose one.

    Raises ValueError for other than two.
    """
    if len(controls) != 2:
        raise ValueError(
            f"Eq. 12 is of two controls, these are {len(controls)}; `min_norm` and `unit_min_norm` take more"
        )
    weight = minimal_norm_weight(*controls)
    return torch.stack([1 - weight, weight], dim=1)


def combined(controls: Sequence[Tensor], weights: Tensor) -> Tensor:
    """The sum of controls `(batch, ...)`, each times its column of weights `(batch, n)`; no term overflows in fp16."""
    terms = [weights[:, k : k + 1].to(vectors) * vectors for k, vectors in enumerate(map(_vectors, controls))]
    return torch.stack(terms).sum(dim=0).to(controls[0].dtype).reshape(controls[0].shape)


def with_silent_mask(control: Tensor, speaks: Tensor) -> Tensor:
    """A control image `(batch, 3, height, width)` and where it speaks `(batch, 1, height, width)` as four channels.

    For controls that have no empty value: of depth, black means far. Silent pixels are 0 in the image as well.
    """
    return torch.cat([control * speaks, speaks.to(control.dtype)], dim=1)


def _vectors(feature: Tensor) -> Tensor:
    return feature.flatten(1).to(torch.promote_types(feature.dtype, torch.float32))


def _along(weight: Tensor, feature: Tensor) -> Tensor:
    """Weights `(batch,)` in a feature's dtype and number of axes."""
    return weight.to(feature.dtype).reshape(-1, *[1] * (feature.dim() - 1))


def _gram(controls: Sequence[Tensor]) -> Tensor:
    """Inner products `(batch, n, n)`, float64 from here on: n is small."""
    if not 1 <= len(controls) <= MOST_CONTROLS:
        raise ValueError(f"one to {MOST_CONTROLS} controls are combined, these are {len(controls)}")
    vectors = torch.stack([_vectors(control) for control in controls], dim=1)
    return (vectors @ vectors.transpose(1, 2)).double()


def _norms(gram: Tensor) -> Tensor:
    return gram.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()


def _points(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Of every non-empty subset, the stationary point of its hull: weights `(batch, subsets, n)`, squared lengths.

    The shortest vector of a hull is the stationary point of one of its faces, so that the best of the subsets that lie
    in it is exact, and needs neither iterations nor tolerances. Weights below 0 are cut off and the rest scaled: what
    is no point of the hull becomes one, and is longer.
    """
    batch, n, _ = gram.shape
    scale = gram.diagonal(dim1=1, dim2=2).amax(dim=1).clamp(min=torch.finfo(gram.dtype).tiny)
    inside = _subsets(n).to(gram)
    system = gram.new_zeros(batch, len(inside), n + 1, n + 1)
    system[..., :n, :n] = (gram / scale[:, None, None])[:, None] * inside[:, :, None] * inside[:, None, :]
    system[..., :n, :n] += torch.diag_embed(1 - inside)
    system[..., :n, n] = system[..., n, :n] = inside
    wanted = gram.new_zeros(n + 1)
    wanted[n] = 1
    solved, _ = torch.linalg.solve_ex(system, wanted.expand(batch, len(inside), n + 1)[..., None])
    weights = solved[..., :n, 0].nan_to_num(0, 0, 0).clamp(min=0) * inside
    total = weights.sum(dim=2, keepdim=True)
    weights = torch.where(
        total > 0, weights / total.clamp(min=torch.finfo(gram.dtype).tiny), inside / inside.sum(dim=1, keepdim=True)
    )
    return weights, torch.einsum("bsi,bij,bsj->bs", weights, gram, weights).clamp(min=0)


def _subsets(n: int) -> Tensor:
    """Every non-empty subset of n, `(2^n - 1, n)` of 0 and 1."""
    return torch.tensor([chosen for chosen in product((0.0, 1.0), repeat=n) if any(chosen)])


def _faded(norms: Tensor, weights: Tensor, lengths: Tensor) -> Tensor:
    """The best subset's weights `(batch, n)`, in which controls near to nothing come and go without a jump.

    With presences p_1 >= p_2 >= ... the result is the sum over k of (p_k - p_k+1) times that of the k most present
    controls alone: one that is not present is as if it were not there, and between the two it is a ramp.
    """
    largest = norms.amax(dim=1, keepdim=True).clamp(min=torch.finfo(norms.dtype).tiny)
    present = ((norms / largest - FADED) / (FULL - FADED)).clamp(0, 1)
    ordered, order = present.sort(dim=1, descending=True)
    rank = order.argsort(dim=1)
    inside = _subsets(norms.shape[1]).to(norms)
    steps = ordered - torch.cat([ordered[:, 1:], torch.zeros_like(ordered[:, :1])], dim=1)
    result = torch.zeros_like(norms)
    for k in range(norms.shape[1]):
        allowed = (inside[None] * (rank > k)[:, None]).sum(dim=2) == 0
        best = lengths.masked_fill(~allowed, torch.inf).argmin(dim=1)
        result += steps[:, k : k + 1] * weights[torch.arange(len(norms)), best]
    return result
