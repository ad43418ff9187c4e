"""How far the condition that a picture shows is from the one that was asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.inference.metrics.checks import alike, counted, finite, shaped, within

NAME = "condition L1"


def condition_l1(extracted: Tensor, wanted: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference of a condition extracted anew and the wanted one within a region, `(batch,)`.

    Conditions `(batch, channels, height, width)`, values 0 to 1, regions `(batch, height, width)`. 0 to 1; lower is
    better (MIControlNet, App. G.2, whose Table 2 has sums over pixels, in ten thousands). Raises Unmeasurable.
    """
    shaped(NAME, "(batch, channels, height, width)", extracted=extracted, wanted=wanted)
    shaped(NAME, "(batch, height, width)", region=region)
    alike(NAME, extracted=extracted, wanted=wanted)
    alike(NAME, conditions=wanted[:, 0], regions=region)
    finite(NAME, regions=region)
    within(NAME, 0, 1, extracted=extracted, wanted=wanted)
    inside = region.bool()
    pixels = inside.sum(dim=(1, 2))
    counted(NAME, "pixels of a region", pixels)
    # One by one a picture stays in the processor's cache.
    pairs = zip(extracted, wanted, inside, strict=True)
    apart = torch.stack([((one - other).abs_() * there).sum() for one, other, there in pairs])
    return apart / pixels / extracted.shape[1]
