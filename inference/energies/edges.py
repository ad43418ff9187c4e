"""How far the edges of a picture are from wanted ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from sluice.inference.energies.energy import Energy

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
SHARP = 0.5
"""Brightness a pixel, of a range of 2, at which an edge counts as two thirds of one."""


def soft_edges(pictures: Tensor) -> Tensor:
    """Where brightness changes, `(batch, height, width)` from 0 to 1, smooth everywhere."""
    grey = pictures.mean(dim=1, keepdim=True)
    across = torch.tensor(SOBEL, dtype=pictures.dtype, device=pictures.device) / 8
    kernels = torch.stack([across, across.T])[:, None]
    slopes = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernels)
    return 1 - torch.exp(-slopes.square().sum(dim=1) / SHARP**2)


def edges_energy(wanted: Tensor, edges: Callable[[Tensor], Tensor] = soft_edges) -> Energy:
    """Mean squared error of edges, of a map `(batch, height, width)` from 0 to 1, which `edges` gives too: 0 to 1."""

    def energy(pictures: Tensor) -> Tensor:
        return (edges(pictures) - wanted).square().mean(dim=(1, 2))

    return Energy(energy, 1)
