"""How far the classes of a picture are from a wanted map of them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from sluice.inference.energies.pictures import Energy
from sluice.preprocess.perception.judges import Judges


def parsing_energy(judges: Judges, wanted: Tensor) -> Energy:
    """Mean squared error of the classes' probabilities, of a map of class numbers `(batch, height, width)`: 0 to 2."""

    def energy(pictures: Tensor) -> Tensor:
        likely = judges(pictures).classes().softmax(dim=1)
        true = F.one_hot(wanted, likely.shape[1]).permute(0, 3, 1, 2).to(likely)
        return (likely - true).square().sum(dim=1).mean(dim=(1, 2))

    return energy
