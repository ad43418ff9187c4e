"""Peak signal-to-noise ratio."""

from __future__ import annotations

from torch import Tensor

RANGE = 2.0


def psnr(pictures: Tensor, truths: Tensor) -> Tensor:
    """Decibels by picture, `(batch,)`, of pictures `(batch, channels, height, width)` with values -1 to 1."""
    error = (pictures.clamp(-1, 1) - truths).square().mean(dim=(1, 2, 3))
    return 10 * (RANGE**2 / error).log10()
