"""How far a picture shows what another one shows, in the same places."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.energies.pictures import Energy
from sluice.inference.energies.style import Maps


def content_energy(maps: Maps, wanted: Tensor) -> Energy:
    """Mean squared error of features `(batch, channels, height, width)`; 0 where they are the wanted ones."""

    def energy(pictures: Tensor) -> Tensor:
        return (maps(pictures) - wanted).square().mean(dim=(1, 2, 3))

    return energy
