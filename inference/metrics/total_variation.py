"""How much texture there is where a control is silent."""

from __future__ import annotations

from torch import Tensor

from sluice.inference.metrics.checks import alike, counted, finite

NAME = "total variation"


def silent_total_variation(pictures: Tensor, silent: Tensor) -> Tensor:
    """Mean absolute difference of neighbours of which both are in a silent region (MIControlNet, Fig. 4a), `(batch,)`.

    Of pictures `(batch, channels, height, width)`, values -1 to 1 (those beyond count as the ends), and regions
    `(batch, height, width)`. 0 to 2; higher is more texture, and noise is texture too. Raises Unmeasurable.
    """
    finite(NAME, pictures=pictures, regions=silent)
    alike(NAME, pictures=pictures[:, 0], regions=silent)
    shown, inside = pictures.clamp(-1, 1), silent.bool()
    down = inside[:, 1:] & inside[:, :-1]
    across = inside[:, :, 1:] & inside[:, :, :-1]
    pairs = down.sum(dim=(1, 2)) + across.sum(dim=(1, 2))
    counted(NAME, "two neighbouring silent pixels", pairs)
    steps = (shown.diff(dim=2).abs().mean(dim=1) * down).sum(dim=(1, 2))
    return (steps + (shown.diff(dim=3).abs().mean(dim=1) * across).sum(dim=(1, 2))) / pairs
