"""F1 of masks: how well a picture's parts, parsed anew, are the wanted ones."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.mean_iou import by_picture

NAME = "mask F1"


def mask_f1(found: Tensor, wanted: Tensor, classes: int) -> Tensor:
    """F1 (Dice) of each picture, mean over the classes that it or its truth has, `(batch,)`.

    Of maps `(batch, height, width)` of class numbers (Unite and Conquer, Table 1). 0 to 1; higher is better. Raises
    Unmeasurable for mixed sizes and for classes that there are not.
    """
    return torch.tensor([counts.f1() for counts in by_picture(NAME, found, wanted, classes)])
