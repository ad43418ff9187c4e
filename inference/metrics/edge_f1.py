"""How well the edges of a picture are the wanted ones, give or take some pixels."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, shaped, within
from sluice.preprocess.record import Array

NAME = "edge F1"
TOLERANCE = 1.0


def edge_f1(found: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Harmonic mean of precision and recall of edge pixels, `(batch,)`, of maps `(batch, height, width)`.

    All but 0 is an edge, and right where one of the other map is at most `tolerance` pixels away (Euclid); unlike the
    BSDS benchmark it does not claim that one for itself. 0 to 1; higher is better; two maps without any edge agree: 1.
    Raises Unmeasurable, of soft edges too: a threshold makes edges of them.
    """
    if not tolerance >= 0:
        raise Unmeasurable(f"{NAME}: a tolerance of {tolerance:g} pixels is none; give 0 or more")
    shaped(NAME, "(batch, height, width)", found=found, wanted=wanted)
    alike(NAME, found=found, wanted=wanted)
    within(NAME, 0, 255, found=found, wanted=wanted)
    _decided(found=found, wanted=wanted)
    pairs = zip(found.bool().cpu().numpy(), wanted.bool().cpu().numpy(), strict=True)
    return torch.tensor([_f1(one, other, tolerance) for one, other in pairs])


def _decided(**maps: Tensor) -> None:
    for name, own in maps.items():
        edges = own[own != 0].float()
        if edges.numel() and edges.min() != edges.max():
            raise Unmeasurable(
                f"{NAME}: {name} holds soft edges, of values from {edges.min():g} to {edges.max():g}, and all but 0 "
                "would be an edge: take what is above a threshold, as `maps > 0.5`"
            )


def _f1(found: Array, wanted: Array, tolerance: float) -> float:
    if not found.any() and not wanted.any():
        return 1.0
    precision, recall = _near(found, wanted, tolerance), _near(wanted, found, tolerance)
    return 2 * precision * recall / (precision + recall) if precision and recall else 0.0


def _near(edges: Array, others: Array, tolerance: float) -> float:
    """The share of edges that are near to others; 0 where either is missing."""
    if not edges.any() or not others.any():
        return 0.0
    away = distance_transform_edt(~others)
    return float(np.mean(away[edges] <= tolerance))
