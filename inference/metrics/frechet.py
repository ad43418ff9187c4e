"""Distance between two sets of pictures, by the Gaussians that their features fit."""

from __future__ import annotations

import torch
from torch import Tensor


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Squared Fréchet distance of features `(n, width)` and `(m, width)` (Heusel et al., 2017, Eq. 6).

    It shrinks as n and m grow towards what the two populations are apart: compare at equal numbers. Raises ValueError
    for sets of fewer than two.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(f"two sets of at least two features each are compared; these have {len(one)} and {len(other)}")
    one, other = one.double(), other.double()
    spread, other_spread = one.T.cov(), other.T.cov()
    root = _square_root(spread)
    shared = _square_root(root @ other_spread @ root).trace()
    apart = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    return max(0.0, float(apart + spread.trace() + other_spread.trace() - 2 * shared))


def _square_root(matrix: Tensor) -> Tensor:
    """Of a symmetric matrix without negative eigenvalues but those of rounding."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
