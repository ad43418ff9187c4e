"""How far the points of a face are from where they are wanted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, counted, finite, shaped

NAME = "landmark error"


def landmark_error(found: Tensor, wanted: Tensor, height: int) -> Tensor:
    """Mean distance over the wanted points, in shares of a picture's `height` in pixels, `(batch,)`.

    Of points `(batch, points, 3)`: x and y in pixels, and above 0 where wanted. 0 or more; lower is better. Raises
    Unmeasurable where a face has no wanted point.
    """
    if not 1 <= height < math.inf:
        raise Unmeasurable(f"{NAME}: a picture of {height:g} pixels in height is none")
    alike(NAME, found=found, wanted=wanted)
    shaped(NAME, "(batch, points, 3)", found=found, wanted=wanted)
    finite(NAME, found=found, wanted=wanted)
    there = wanted[..., 2] > 0
    counted(NAME, "wanted points", there.sum(dim=1))
    apart = torch.linalg.vector_norm(found[..., :2] - wanted[..., :2], dim=2)
    error: Tensor = (apart * there).sum(dim=1) / there.sum(dim=1) / height
    return error
