"""How far a picture's style is from another's: what features go together, wherever they are (Gram matrices)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sluice.inference.energies.pictures import Energy

Maps = Callable[[Tensor], Tensor]
"""Features `(batch, channels, height, width)` of pictures."""


def gram(features: Tensor) -> Tensor:
    """Mean products of features over the places of a picture, `(batch, channels, channels)`."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[2]


def style_energy(maps: Maps, wanted: Tensor) -> Energy:
    """The distance of Gram matrices from that of a picture, `wanted` `(1 or batch, channels, channels)`; 0 or more."""

    def energy(pictures: Tensor) -> Tensor:
        return (gram(maps(pictures)) - wanted).flatten(1).square().sum(dim=1).add(1e-12).sqrt()

    return energy
