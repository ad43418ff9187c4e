"""How far a picture's style is from another's: what features go together, wherever they are (Gram matrices)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sluice.inference.energies.energy import Energy, Wants

Maps = Callable[[Tensor], Sequence[Tensor]]
"""Features of pictures from one layer or several, each `(batch, channels, height, width)`."""


def gram(features: Tensor) -> Tensor:
    """Mean products of features over the places of a picture, `(batch, channels, channels)`."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[2]


def style_energy(maps: Maps, shown: Tensor, wants: Wants = "pixels") -> Energy:
    """Distance of Gram matrices from those of what is `shown` `(1 or batch, ...)`; 0 or more.

    In shares of their length, so that each layer says as much as any other; the mean over layers.
    """
    with torch.no_grad():
        wanted = [gram(layer) for layer in maps(shown)]
        lengths = [own.flatten(1).square().sum(dim=1).clamp(min=1e-12) for own in wanted]

    def energy(pictures: Tensor) -> Tensor:
        layers = zip(maps(pictures), wanted, lengths, strict=True)
        shares = [(gram(layer) - own).flatten(1).square().sum(dim=1) / length for layer, own, length in layers]
        return torch.stack([share.add(1e-12).sqrt() for share in shares]).mean(dim=0)

    return Energy(energy, wants=wants)
