"""How far the classes of a picture are from a wanted map of them."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from sluice.inference.energies.energy import Energy, Wants


def parsing_energy(classes: Callable[[Tensor], Tensor], wanted: Tensor, wants: Wants = "pixels") -> Energy:
    """Mean squared error of the classes' probabilities, of a map of class numbers `(batch, height, width)`: 0 to 2.

    `classes` gives logits `(batch, classes, height, width)`.
    """

    def energy(pictures: Tensor) -> Tensor:
        likely = classes(pictures).softmax(dim=1)
        true = F.one_hot(wanted, likely.shape[1]).permute(0, 3, 1, 2).to(likely)
        return (likely - true).square().sum(dim=1).mean(dim=(1, 2))

    return Energy(energy, 2, wants)
