"""How far a picture's depth is from a wanted one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sluice.inference.energies.energy import Energy, Wants


def depth_energy(depth: Callable[[Tensor], Tensor], wanted: Tensor, wants: Wants = "pixels") -> Energy:
    """Mean absolute error in metres, of a depth `(batch, height, width)`, which `depth` gives too; 0 or more."""

    def energy(pictures: Tensor) -> Tensor:
        return (depth(pictures) - wanted).abs().mean(dim=(1, 2))

    return Energy(energy, wants=wants)
