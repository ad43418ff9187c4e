"""Where SAM looks: overlapping crops in layers, and the grid of points within each ("Segment Anything", App. B)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil

import numpy as np

from sluice.preprocess.record import Array


@dataclass(frozen=True)
class Crop:
    """A part of an image in pixels, x1 and y1 excluded."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    def cut(self, image: Array) -> Array:
        """The part of an array `(image height, image width, ...)`."""
        return image[self.y0 : self.y1, self.x0 : self.x1]


def layer_crops(height: int, width: int, layer: int, overlap_ratio: float) -> list[Crop]:
    """The crops of a layer: 2^layer a side, neighbours sharing some `overlap_ratio` of the image's short side.

    Layer 0 is the image itself; the overlap halves from layer to layer, as the crops do.
    """
    if layer == 0:
        return [Crop(0, 0, width, height)]
    side = 2**layer
    overlap = int(overlap_ratio * min(height, width) * (2 / side))
    crop_width, crop_height = (ceil((overlap * (side - 1) + length) / side) for length in (width, height))
    corners = product(
        (i * (crop_width - overlap) for i in range(side)), (i * (crop_height - overlap) for i in range(side))
    )
    return [Crop(x, y, min(x + crop_width, width), min(y + crop_height, height)) for x, y in corners]


def point_grid(side: int) -> Array:
    """`side` x `side` points (x, y), float64 in 0 .. 1, each in the middle of its cell, row by row: `(side^2, 2)`."""
    middles = np.linspace(1 / (2 * side), 1 - 1 / (2 * side), side)
    return np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)
