"""How far a picture's style is from another's, wherever in the picture what is."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.energies.style import gram
from sluice.inference.metrics.checks import Unmeasurable, finite, shaped

NAME = "style distance"


def style_distance(features: Tensor, wanted: Tensor) -> Tensor:
    """Distance of Gram matrices of features `(batch, channels, height, width)`, `(batch,)` (Gatys et al., 2016).

    The pictures may be of different sizes, as Gram matrices are means over places. 0 or more; lower is better; in units
    of the features, so that a figure belongs to its network and layer. Raises Unmeasurable.
    """
    shaped(NAME, "(batch, channels, height, width)", features=features, wanted=wanted)
    if features.shape[:2] != wanted.shape[:2]:
        raise Unmeasurable(
            f"{NAME}: features must be as many and of as many channels as the wanted ones, but they are "
            f"{tuple(features.shape)} and {tuple(wanted.shape)}; take both from the same layer"
        )
    finite(NAME, features=features, wanted=wanted)
    distance: Tensor = torch.linalg.vector_norm(gram(features) - gram(wanted), dim=(1, 2))
    return distance
