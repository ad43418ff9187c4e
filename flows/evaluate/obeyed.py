"""How well pictures show what was asked for, a number each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sluice.flows.evaluate.cases import Case, shown
from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.metrics.condition_l1 import condition_l1
from sluice.inference.metrics.depth_mae import depth_mae
from sluice.inference.metrics.edge_f1 import edge_f1
from sluice.inference.metrics.pose import pck
from sluice.preprocess.perception.edges import canny
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array

SHOULDERS, HIPS = (2, 5), (8, 11)
"""Of the 18 points."""
NEAREST = 0.1
"""Metres: depths below count as that, so that their inverse is bounded."""
TOTAL = "of 0 to 1, a pixel"


@dataclass(frozen=True)
class Obeyed:
    """How well pictures `(batch, 3, height, width)` show the control of their cases, a number each `(batch,)`."""

    figure: str
    unit: str
    better: Literal["higher", "lower"]
    of: Callable[[Tensor, list[Case]], Tensor]


def obeyed(judges: Judges, edges: Callable[[Array], Array] | None) -> dict[str, Obeyed]:
    """By control; soft edges only where their network is there."""
    found = {
        "canny": Obeyed("edge F1", "share", "higher", _edges),
        "depth": Obeyed("depth MAE", TOTAL, "lower", lambda pictures, some: _depth(judges, pictures, some)),
        "pose": Obeyed("PCK@0.2", "share of points", "higher", lambda pictures, some: _pose(judges, pictures, some)),
    }
    if edges is not None:
        found["hed"] = Obeyed("L1 of edges", TOTAL, "lower", lambda pictures, some: _soft(edges, pictures, some))
    return found


def _edges(pictures: Tensor, some: list[Case]) -> Tensor:
    found = torch.from_numpy(np.stack([canny(own) > 0 for own in to_bytes(pictures)]))
    return edge_f1(found, shown(some, "canny")[:, 0] > 0)


def _soft(edges: Callable[[Array], Array], pictures: Tensor, some: list[Case]) -> Tensor:
    found = torch.from_numpy(edges(to_bytes(pictures)).astype(np.float32) / 255)[:, None]
    wanted = shown(some, "hed")[:, :1]
    return condition_l1(found, wanted, torch.ones_like(wanted[:, 0]))


@torch.no_grad()
def _depth(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    """Of inverse depths, as the control has them."""
    return depth_mae(1 / judges(pictures).depth()[:, 0].clamp(min=NEAREST), shown(some, "depth")[:, 0])


@torch.no_grad()
def _pose(judges: Judges, pictures: Tensor, some: list[Case]) -> Tensor:
    """Of each scene's first figure, by the length of its torso."""
    wanted = torch.from_numpy(np.stack([case.truth.keypoints[0] for case in some])).float()
    torso = wanted[:, SHOULDERS, :2].mean(dim=1) - wanted[:, HIPS, :2].mean(dim=1)
    return pck(judges(pictures).points("pose"), wanted, torso.norm(dim=1))
