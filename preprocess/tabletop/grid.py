"""Pixels and where they look: a picture's grid, windows of it, and the noise that lies on it.

Pixels are made by + - * / sqrt, floor, min and max alone, which IEEE 754 rounds the same way everywhere: same scene,
same bytes, on any processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Size = int | tuple[int, int]
NOISE_SEED = 20231
NOISE_SIDE = 1024
# How far a scene may shift the noise of its picture, in pixels.
NOISE_SHIFTS = 64


@dataclass(frozen=True)
class Grid:
    """A picture's pixels in units of its shorter side, the origin in its middle.

    `across` `(1, width)` grows to the right, `down` `(height, 1)` to the bottom; `unit` is the shorter side in pixels.
    """

    height: int
    width: int
    unit: int
    across: Array
    down: Array

    def column(self, across: float) -> float:
        """Where a place lies in pixels, the first pixel's centre being 0."""
        return across * self.unit + (self.width - 1) / 2

    def row(self, down: float) -> float:
        """As `column`, from the top."""
        return down * self.unit + (self.height - 1) / 2

    def window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        """Rows and columns of the pixels of a rectangle and one more on each side; empty where it is out of sight."""
        rows = _clipped(self.row(top), self.row(bottom), self.height)
        return rows, _clipped(self.column(left), self.column(right), self.width)


def _clipped(first: float, last: float, length: int) -> slice:
    start = min(max(int(np.floor(first)) - 1, 0), length)
    return slice(start, max(start, min(int(np.ceil(last)) + 2, length)))


@lru_cache(maxsize=64)
def grid(size: Size) -> Grid:
    """The grid of a picture `size` pixels square, or `(height, width)`. Raises ValueError for less than 8 pixels."""
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 8:
        raise ValueError(f"a picture of {height} x {width} pixels is too small; both sides must have 8 or more")
    unit = min(height, width)
    across = (np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / unit
    down = (np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2)) / unit
    return Grid(height, width, unit, across[None, :], down[:, None])


def held(values: Array) -> Array:
    """Values kept within 0 to 1; `np.clip` takes thrice as long on a window."""
    kept: Array = np.minimum(np.maximum(values, 0), 1)
    return kept


def coverage(distance: Array, pixel: float | Array) -> Array:
    """How much of each pixel (of side `pixel`) lies where a signed distance is negative, 0 to 1."""
    return held(0.5 - distance / pixel)


def lines(place: Array, period: float, width: float, pixel: float | Array) -> Array:
    """Coverage of lines of a width, centred on the multiples of a period; `pixel` in the unit of `place`."""
    away = np.abs(place - period * np.rint(place / period))
    return held((width / 2 - away) / pixel + 0.5)


def smooth(x: Array) -> Array:
    """From 0 to 1 with level ends, for x in 0 to 1."""
    eased: Array = x * x * (3 - 2 * x)
    return eased


@lru_cache(maxsize=1)
def noise_tile() -> Array:
    """Value noise of mean about 0.5 that repeats every 1024 x 1024, float32."""
    rng = np.random.default_rng(NOISE_SEED)
    tile = sum(
        share * _octave(rng.random((NOISE_SIDE // step, NOISE_SIDE // step), dtype=np.float32))
        for share, step in ((0.5, 128), (0.3, 32), (0.2, 8))
    )
    return np.ascontiguousarray(tile, np.float32)


def _octave(lattice: Array) -> Array:
    """A lattice of random values, eased between its points; it repeats after `NOISE_SIDE`."""
    place = np.arange(NOISE_SIDE, dtype=np.float32) * np.float32(len(lattice) / NOISE_SIDE)
    low = np.floor(place).astype(np.intp)
    high = (low + 1) % len(lattice)
    part = smooth(place - low)
    rows = lattice[low] + (lattice[high] - lattice[low]) * part[:, None]
    eased: Array = rows[:, low] + (rows[:, high] - rows[:, low]) * part
    return eased


def noise(rows: Array, columns: Array) -> Array:
    """Noise at places given in texels, 0 to 1, about 0.5 in the mean."""
    mask = NOISE_SIDE - 1
    place = (rows.astype(np.intp) & mask) * NOISE_SIDE + (columns.astype(np.intp) & mask)
    # Six times as fast as indexing with rows and columns.
    found: Array = noise_tile().reshape(-1).take(place)
    return found


@lru_cache(maxsize=16)
def _paper(height: int, width: int, unit: int) -> Array:
    texel = np.float32(NOISE_SIDE / 2 / unit)
    rows = (np.arange(height + NOISE_SHIFTS, dtype=np.float32) * texel)[:, None]
    columns = (np.arange(width + NOISE_SHIFTS, dtype=np.float32) * texel)[None, :]
    return noise(rows, columns)


def paper(at: Grid, shift: tuple[int, int]) -> Array:
    """Noise over a whole picture, 0 to 1; `shift` in 0 to 63 makes another sheet of it."""
    sheet = _paper(at.height, at.width, at.unit)
    return sheet[shift[0] : shift[0] + at.height, shift[1] : shift[1] + at.width]
