"""How far the points of a face or a figure are from where they are wanted."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.energies.pictures import Energy
from sluice.preprocess.perception.judges import Judges


def landmarks_energy(judges: Judges, wanted: Tensor, judge: str = "landmarks") -> Energy:
    """Mean distance, in shares of a picture's height, over points `(batch, points, 3)` of x, y and 1 where in sight.

    0 where all are in place; `judge` is `landmarks` or `pose`.
    """

    def energy(pictures: Tensor) -> Tensor:
        found = judges(pictures).points(judge)
        apart = (found[..., :2] - wanted[..., :2]).square().sum(dim=2).add(1e-12).sqrt()
        seen = wanted[..., 2]
        return (apart * seen).sum(dim=1) / seen.sum(dim=1).clamp(min=1) / (judges.scale * pictures.shape[2])

    return energy
