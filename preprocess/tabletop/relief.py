"""The reliefs of surfaces: where they face and how far they bulge, so that light can model them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sluice.preprocess.tabletop.grid import Array, held


@dataclass(frozen=True)
class Relief:
    """A surface's normal, right and up `(height, width)`, how far it bulges towards the eye, 0 to 1, and the ink of its
    inner edges, 0 to 1."""

    right: Array
    up: Array
    bulge: Array
    creases: Array | None = None


# `(x, y, distance, pixel)` to a relief.
Modelling = Callable[[Array, Array, Array, float], Relief]


def length(x: Array, y: Array) -> Array:
    """The length of vectors."""
    found: Array = np.sqrt(x * x + y * y)
    return found


def pillow(bevel: float) -> Modelling:
    """A flat face with an edge rounded over a width of `bevel`."""

    def relief(_x: Array, _y: Array, distance: Array, pixel: float) -> Relief:
        risen = held(-distance / bevel)
        slope = (1 - risen) / (2 * pixel)
        right, up = np.zeros_like(distance), np.zeros_like(distance)
        right[:, 1:-1] = (distance[:, 2:] - distance[:, :-2]) * slope[:, 1:-1]
        up[1:-1] = (distance[:-2] - distance[2:]) * slope[1:-1]
        return Relief(right, up, np.sqrt(risen * (2 - risen)))

    return relief


def turned(radius: Callable[[Array], Array], lift: float = 0.12) -> Modelling:
    """A body turned on a lathe, of a radius at each height, seen a little from above."""

    def relief(x: Array, y: Array, _distance: Array, _pixel: float) -> Relief:
        right = np.clip(x / radius(y), -1, 1)
        return Relief(right, np.full_like(right, lift), np.sqrt(1 - right * right))

    return relief
