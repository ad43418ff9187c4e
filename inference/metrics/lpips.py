"""How far apart two pictures look (LPIPS)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, pictured

NAME = "LPIPS"
FEWEST_PIXELS = 32


@torch.no_grad()
def lpips(network: Callable[[Tensor, Tensor], Tensor], pictures: Tensor, truths: Tensor) -> Tensor:
    """Distance of features (Zhang et al., 2018, Eq. 1) by `load_lpips` of a VGG-16 or an AlexNet, `(batch,)`.

    Of pictures `(batch, 3, height, width)`, values -1 to 1 (those beyond count as the ends). 0 or more, rarely over 1;
    lower is better; VGG-16 and AlexNet give different figures. Raises Unmeasurable also below 32 pixels a side.
    """
    alike(NAME, pictures=pictures, truths=truths)
    pictured(NAME, pictures=pictures, truths=truths)
    if min(pictures.shape[2:]) < FEWEST_PIXELS:
        raise Unmeasurable(
            f"{NAME} takes pictures of at least {FEWEST_PIXELS} pixels a side; these have {tuple(pictures.shape[2:])}"
        )
    return network(pictures.clamp(-1, 1), truths.clamp(-1, 1))
