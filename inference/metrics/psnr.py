"""Peak signal-to-noise ratio."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from sluice.inference.metrics.checks import alike, pictured

NAME = "PSNR"
RANGE = 2.0


def psnr(pictures: Tensor, truths: Tensor) -> Tensor:
    """Decibels by picture, `(batch,)`, of pictures `(batch, channels, height, width)` with values -1 to 1
    (those beyond count as the ends).

    0 to infinity, which equal pictures have; higher is better. Raises Unmeasurable for NaN and mixed sizes.
    """
    alike(NAME, pictures=pictures, truths=truths)
    pictured(NAME, pictures=pictures, truths=truths)
    # One by one a picture stays in the processor's cache.
    pairs = ([side.clamp(-1, 1) for side in pair] for pair in zip(pictures, truths, strict=True))
    error = torch.stack([mse_loss(*pair) for pair in pairs])
    return 10 * (RANGE**2 / error).log10()
