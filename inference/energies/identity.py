"""How far a face is from being the same as another one."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from sluice.inference.energies.energy import Energy


def identity_energy(embed: Callable[[Tensor], Tensor], wanted: Tensor) -> Energy:
    """`1 - cos` of a face's embedding and that of the wanted one, `(1, width)` or `(batch, width)`: 0 to 2."""

    def energy(pictures: Tensor) -> Tensor:
        return 1 - F.cosine_similarity(embed(pictures), wanted)

    return Energy(energy, 2)
