"""Four surface textures: where a thing's marks lie on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sluice.preprocess.tabletop.grid import Array, coverage, lines
from sluice.preprocess.tabletop.relief import length

# `(x, y, share, pixel)` in heights to the marks' coverage; `share` is how much of the surface they take.
Texture = Callable[[Array, Array, float, float], Array]


def _plain(x: Array, y: Array, _share: float, _pixel: float) -> Array:
    return np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)


def _striped(x: Array, y: Array, share: float, pixel: float) -> Array:
    period = 0.3
    return lines(y * 0.8 + x * 0.6, period, share * period, pixel)


def _dotted(x: Array, y: Array, share: float, pixel: float) -> Array:
    period = 0.33
    radius = period * (share * 0.85 / np.pi) ** 0.5
    u, v = x / period + 0.5, y / period
    # Every other row is shifted by half a period.
    u = u + 0.5 * (np.floor(v) % 2)
    return coverage(length(u - np.floor(u) - 0.5, v - np.floor(v) - 0.5) * period - radius, pixel)


def _chequered(x: Array, y: Array, share: float, pixel: float) -> Array:
    """Squares on every other field, smaller than the field where they must cover less than half."""
    side = 0.27
    half = side * (share / 2) ** 0.5
    i, j = np.floor(x / side), np.floor(y / side)
    square = np.maximum(np.abs(x - (i + 0.5) * side), np.abs(y - (j + 0.5) * side)) - half
    return np.where((i + j) % 2 == 0, coverage(square, pixel), np.float32(0))


TEXTURES: dict[str, Texture] = {
    "plain": _plain,
    "striped": _striped,
    "dotted": _dotted,
    "chequered": _chequered,
}
