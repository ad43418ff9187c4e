"""Points as heatmaps, which is how a network learns where they are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

DEVIATION = 1.0
WEIGHT = 30.0
"""What a cell at a point weighs against one far from every point; else to see nothing anywhere would cost little."""


def heatmaps(points: Tensor, size: tuple[int, int], scale: int) -> Tensor:
    """Gaussian bumps `(batch, points, height, width)`, 1 at a point, of points `(batch, points, 3)` in pixels.

    A cell is `scale` pixels wide; a point that is not in sight has an empty map.
    """
    x, y = ((points[..., i] + 0.5) / scale - 0.5 for i in (0, 1))
    columns, rows = (torch.arange(n, device=points.device) for n in (size[1], size[0]))
    across = (-((columns - x[..., None]) ** 2) / (2 * DEVIATION**2)).exp()
    down = (-((rows - y[..., None]) ** 2) / (2 * DEVIATION**2)).exp()
    return points[..., 2, None, None] * down[..., :, None] * across[..., None, :]


def heatmap_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy above the least that is possible, cells near a point weighted up."""
    weight = 1 + WEIGHT * wanted
    entropy = -(weight * (torch.xlogy(wanted, wanted) + torch.xlogy(1 - wanted, 1 - wanted))).mean()
    return F.binary_cross_entropy_with_logits(logits, wanted, weight) - entropy
