"""How far the depth of a picture is from the wanted one, whatever its unit."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.metrics.checks import alike, finite, shaped

NAME = "depth MAE"


def depth_mae(depths: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference, after each map is brought to 0 to 1 by its own extremes, `(batch,)`.

    Of maps `(batch, height, width)` of the same sense, both near or both far being large (CnC, Table 2, by MiDaS). 0 to
    1; lower is better. A map of one depth is 0 everywhere. Raises Unmeasurable.
    """
    shaped(NAME, "(batch, height, width)", depths=depths, wanted=wanted)
    alike(NAME, depths=depths, wanted=wanted)
    finite(NAME, depths=depths, wanted=wanted)
    return (min_max(depths) - min_max(wanted)).abs().mean(dim=(1, 2))


def min_max(maps: Tensor) -> Tensor:
    """Each of the maps `(batch, height, width)` from 0 to 1."""
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    span = high - low
    return (maps - low) / span.where(span > 0, 1)
