"""How far a picture shows what another one shows, in the same places."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.energies.energy import Energy, Wants
from sluice.inference.energies.style import Maps


def content_energy(maps: Maps, shown: Tensor, wants: Wants = "pixels") -> Energy:
    """Mean squared error of features, from those of what is `shown` `(1 or batch, ...)`; 0 or more."""
    with torch.no_grad():
        wanted = maps(shown)

    def energy(pictures: Tensor) -> Tensor:
        apart = [(layer - own).square().mean(dim=(1, 2, 3)) for layer, own in zip(maps(pictures), wanted, strict=True)]
        return torch.stack(apart).mean(dim=0)

    return Energy(energy, wants=wants)
