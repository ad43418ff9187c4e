"""How far a picture's depth is from a wanted one."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.energies.pictures import Energy
from sluice.preprocess.perception.judges import Judges


def depth_energy(judges: Judges, wanted: Tensor) -> Energy:
    """Mean absolute error in metres, of a depth `(batch, height, width)`; 0 where they agree."""

    def energy(pictures: Tensor) -> Tensor:
        return (judges(pictures).depth()[:, 0] - wanted).abs().mean(dim=(1, 2))

    return energy
