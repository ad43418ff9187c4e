"""How far a region's colour is from a wanted one."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.energies.energy import Energy


def colour_energy(region: Tensor, wanted: Tensor) -> Energy:
    """Mean squared error to a colour `(3,)` or `(batch, 3)`, -1 to 1, inside a region `(batch, height, width)`.

    0 to 4; 0 too where the region is empty.
    """
    colour = wanted.reshape(-1, 3, 1, 1)

    def energy(pictures: Tensor) -> Tensor:
        wrong = (pictures - colour).square().mean(dim=1) * region
        return wrong.sum(dim=(1, 2)) / region.sum(dim=(1, 2)).clamp(min=1)

    return Energy(energy, 4)
