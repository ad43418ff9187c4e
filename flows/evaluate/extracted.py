"""Conditions extracted anew from pictures of tabletop, to be compared with those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sluice.flows.tabletop.reading import to_bytes
from sluice.infra.weights.models import MissingWeights, find
from sluice.preprocess.perception.edges import canny
from sluice.preprocess.perception.hed import load_hed, soft_edges
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.perception.skeleton import Person, draw
from sluice.preprocess.record import Array

HED = "hed"
SEEN = 0.5
"""How sure of a point a judge is to be."""
NEAREST = 0.1
"""Metres: depths below count as that, so that their inverse is bounded."""

Extract = Callable[[Tensor], Tensor]
"""Of pictures `(batch, 3, height, width)`, values -1 to 1, a condition `(batch, channels, height, width)`."""


def extractors(judges: Judges, edges: Callable[[Array], Array] | None) -> dict[str, Extract]:
    """By control, values 0 to 1, but for depth, which is inverse metres; soft edges only where their network is."""
    found: dict[str, Extract] = {
        "canny": lambda pictures: levels_of([canny(own) for own in to_bytes(pictures)]),
        "depth": lambda pictures: _depth(judges, pictures),
        "pose": lambda pictures: _pose(judges, pictures),
    }
    if edges is not None:
        found["hed"] = lambda pictures: levels_of(edges(to_bytes(pictures)))
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


def levels_of(pixels: Sequence[Array] | Array) -> Tensor:
    """Pixels `(height, width)` or `(height, width, channels)` as `(batch, channels, height, width)`, values 0 to 1."""
    values = np.stack(list(pixels))
    levels = torch.from_numpy(values.astype(np.float32) / np.iinfo(values.dtype).max)
    return levels[:, None] if levels.ndim == 3 else levels.permute(0, 3, 1, 2)


@torch.no_grad()
def _depth(judges: Judges, pictures: Tensor) -> Tensor:
    return 1 / judges(pictures).depth().clamp(min=NEAREST)


@torch.no_grad()
def _pose(judges: Judges, pictures: Tensor) -> Tensor:
    points = judges(pictures).points("pose").numpy()
    people = [Person(own * (own[:, 2:] > SEEN)) for own in points]
    return levels_of([draw([own], *pictures.shape[2:]) for own in people])
