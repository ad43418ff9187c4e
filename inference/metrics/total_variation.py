"""How much texture there is where a control is silent."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.checks import alike, counted, finite, pictured, shaped

NAME = "total variation"


def silent_total_variation(pictures: Tensor, silent: Tensor) -> Tensor:
    """Mean absolute difference of neighbours of which both are in a silent region (MIControlNet, Fig. 4a), `(batch,)`.

    Of pictures `(batch, channels, height, width)`, values -1 to 1 (those beyond count as the ends), and regions
    `(batch, height, width)`. 0 to 2; higher is more texture, and noise is texture too. Raises Unmeasurable.
    """
    pictured(NAME, pictures=pictures)
    shaped(NAME, "(batch, height, width)", regions=silent)
    finite(NAME, regions=silent)
    alike(NAME, pictures=pictures[:, 0], regions=silent)
    inside = silent.bool()
    down = inside[:, 1:] & inside[:, :-1]
    across = inside[:, :, 1:] & inside[:, :, :-1]
    pairs = down.sum(dim=(1, 2)) + across.sum(dim=(1, 2))
    counted(NAME, "two neighbouring silent pixels", pairs)
    # One after the other: what a picture takes stays in the cache, at more than twice the pace.
    return torch.stack([_steps(*own) for own in zip(pictures, down, across, strict=True)]) / pairs


def _steps(picture: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Of one, summed over the pairs that count; a product with these is one pass over the differences."""
    shown = picture.clamp(-1, 1)
    vertical, horizontal = (
        shown.diff(dim=side).abs_().flatten(1) @ counts.flatten().to(shown) for side, counts in ((1, down), (2, across))
    )
    return (vertical + horizontal).mean()
