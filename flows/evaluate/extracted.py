"""Conditions extracted anew from pictures, to be compared with those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sluice.flows.evaluate.obeyed import NEAREST
from sluice.flows.tabletop.reading import to_bytes
from sluice.infra.models import MissingWeights, find
from sluice.preprocess.perception.edges import canny
from sluice.preprocess.perception.hed import load_hed, soft_edges
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.perception.skeleton import Person, draw
from sluice.preprocess.record import Array

HED = "hed"
SEEN = 0.5
"""How sure of a point a judge is to be."""

Extract = Callable[[Tensor], Tensor]
"""Of pictures `(batch, 3, height, width)`, values -1 to 1, a condition `(batch, channels, height, width)`."""


def extractors(judges: Judges, edges: Callable[[Array], Array] | None) -> dict[str, Extract]:
    """By control, values 0 to 1, but for depth, which is inverse metres; soft edges only where their network is."""
    found: dict[str, Extract] = {
        "canny": lambda pictures: _levels([canny(own) for own in to_bytes(pictures)])[:, None],
        "depth": lambda pictures: _depth(judges, pictures),
        "pose": lambda pictures: _pose(judges, pictures),
    }
    if edges is not None:
        found["hed"] = lambda pictures: _levels(edges(to_bytes(pictures)))[:, None]
    return found


def is_here(name: str) -> bool:
    """Whether weights are in the cache."""
    try:
        find(name)
    except MissingWeights:
        return False
    return True


def hed() -> Callable[[Array], Array] | None:
    """Soft edges of pictures; None where HED's weights are not there."""
    if not is_here(HED):
        return None
    network = load_hed(find(HED).path, torch.device("cpu"), torch.float32)
    return lambda pictures: soft_edges(network, pictures)


@torch.no_grad()
def _depth(judges: Judges, pictures: Tensor) -> Tensor:
    return 1 / judges(pictures).depth().clamp(min=NEAREST)


@torch.no_grad()
def _pose(judges: Judges, pictures: Tensor) -> Tensor:
    points = judges(pictures).points("pose").numpy()
    people = [Person(own * (own[:, 2:] > SEEN)) for own in points]
    return _levels([draw([own], *pictures.shape[2:]) for own in people]).permute(0, 3, 1, 2)


def _levels(pixels: Sequence[Array] | Array) -> Tensor:
    return torch.from_numpy(np.stack(list(pixels)).astype(np.float32) / 255)
