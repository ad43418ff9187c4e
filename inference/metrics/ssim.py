"""Structural similarity of two pictures."""

from __future__ import annotations

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, pictured
from sluice.preprocess.record import Array

NAME = "SSIM"
FEWEST_PIXELS = 11


def ssim(pictures: Tensor, truths: Tensor) -> Tensor:
    """Mean SSIM (Wang et al., 2004) over channels and places, `(batch,)`, by scikit-image with the paper's window.

    Of pictures `(batch, channels, height, width)`, values -1 to 1 (those beyond count as the ends): Gaussian of sigma
    1.5, 11 pixels wide. -1 to 1; higher is better. Raises Unmeasurable also for pictures smaller than the window.
    """
    alike(NAME, pictures=pictures, truths=truths)
    pictured(NAME, pictures=pictures, truths=truths)
    if min(pictures.shape[2:]) < FEWEST_PIXELS:
        raise Unmeasurable(
            f"{NAME} takes pictures of at least {FEWEST_PIXELS} pixels a side; these have {tuple(pictures.shape[2:])}"
        )
    # Its first factor compares brightness, which is never below 0.
    light = (((side.detach().clamp(-1, 1).float() + 1) / 2).cpu().numpy() for side in (pictures, truths))
    return torch.tensor([_similarity(*pair) for pair in zip(*light, strict=True)])


def _similarity(one: Array, other: Array) -> float:
    found = structural_similarity(  # type: ignore[no-untyped-call]
        one, other, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(found)
