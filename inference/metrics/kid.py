"""Kernel Inception distance: how far two sets of pictures are apart, without bias at any number."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.checks import alike, enough, finite, shaped

NAME = "KID"
MINIMUM = 2
AT_ONCE = 1024


def kid(made: Tensor, true: Tensor) -> float:
    """Unbiased squared MMD of Inception's features `(n, width)` and `(m, width)` (Bińkowski et al., 2018, Eq. 4).

    By the kernel `(x.y / width + 1)^3`, over all pairs: what means over subsets estimate with more variance. Lower is
    better; 0 in the mean for sets of one population, and so at times below 0. Raises Unmeasurable.
    """
    shaped(NAME, "(n, width)", made=made, true=true)
    enough(NAME, MINIMUM, made_pictures=len(made), true_pictures=len(true))
    alike(NAME, made=made[0], true=true[0])
    finite(NAME, made=made, true=true)
    one, other = made.double(), true.double()
    return _within(one) + _within(other) - 2 * _sum(one, other) / (len(one) * len(other))


def _within(features: Tensor) -> float:
    """The kernel's mean over pairs of different pictures."""
    own = float(_kernel(features.square().sum(dim=1), features.shape[1]).sum())
    return (_sum(features, features) - own) / (len(features) * (len(features) - 1))


def _sum(one: Tensor, other: Tensor) -> float:
    """The kernel's sum over all pairs, some rows at a time."""
    parts = [_kernel(rows @ other.T, one.shape[1]).sum() for rows in torch.split(one, AT_ONCE)]
    return float(torch.stack(parts).sum())


def _kernel(products: Tensor, width: int) -> Tensor:
    return (products / width + 1) ** 3
