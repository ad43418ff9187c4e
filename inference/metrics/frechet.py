"""Distance between two sets of pictures, by the Gaussians that their features fit."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.checks import alike, enough, finite, shaped

NAME = "Fréchet distance"
MINIMUM = 2


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Squared Fréchet distance of features `(n, width)` and `(m, width)` (Heusel et al., 2017, Eq. 6).

    0 or more; lower is better. It shrinks as n and m grow towards what the two populations are apart: compare at equal
    numbers. Raises Unmeasurable for sets of fewer than two, of other features, or with NaN.
    """
    shaped(NAME, "(n, width)", one=one, other=other)
    enough(NAME, MINIMUM, pictures_of_one=len(one), pictures_of_the_other=len(other))
    alike(NAME, one=one[0], other=other[0])
    finite(NAME, one=one, other=other)
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
