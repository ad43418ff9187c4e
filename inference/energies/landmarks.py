"""How far the points of a face or a figure are from where they are wanted."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sluice.inference.energies.energy import Energy, Wants


def landmarks_energy(
    points: Callable[[Tensor], Tensor], wanted: Tensor, height: int, wants: Wants = "pixels"
) -> Energy:
    """Mean distance over points `(batch, points, 3)` of x, y in pixels and 1 where in sight; 0 or more.

    In shares of a picture's `height`, which is in pixels too; `points` gives `(batch, points, 2 or more)`.
    """

    def energy(pictures: Tensor) -> Tensor:
        apart = (points(pictures)[..., :2] - wanted[..., :2]).square().sum(dim=2).add(1e-12).sqrt()
        seen = wanted[..., 2]
        return (apart * seen).sum(dim=1) / seen.sum(dim=1).clamp(min=1) / height

    return Energy(energy, wants=wants)
