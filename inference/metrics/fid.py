"""Fréchet Inception distance: how far two sets of pictures are apart."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.metrics.checks import enough, shaped
from sluice.inference.metrics.frechet import frechet_distance

NAME = "FID"
MINIMUM = 100


def fid(made: Tensor, true: Tensor) -> float:
    """Fréchet distance (Heusel et al., 2017) of Inception's features `(n, 2048)` and `(m, 2048)`.

    0 or more; lower is better. It has a bias that shrinks with n and m, and below 2049 pictures the spreads are
    singular: compare at equal numbers only, and few pictures by KID. `FID-tabletop` is the same of the judges'
    features, and no FID. Raises Unmeasurable below 100 pictures.
    """
    shaped(NAME, "(n, width)", made=made, true=true)
    enough(NAME, MINIMUM, made_pictures=len(made), true_pictures=len(true))
    return frechet_distance(made, true)
