"""Light on things, and the shadows that they cast on the table and up the wall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sluice.preprocess.tabletop.backdrop import Room
from sluice.preprocess.tabletop.grid import Array, Grid, held
from sluice.preprocess.tabletop.relief import Relief
from sluice.preprocess.tabletop.scene import Camera, Item, Light

AMBIENT = 0.4
GLOSS = 0.45
SHADOW = 0.5
CONTACT = 0.5
# How fast a shadow's edge blurs on its way, and how wide the blur is at least, in metres.
BLUR, SHARPEST = 0.16, 0.012


def shade(relief: Relief, light: Light, depth: float = 1.0, gloss: float = GLOSS) -> Array:
    """How bright a surface is: 1 fully lit, less in the shade (times `depth`), more where it shines."""
    right, up, towards = -light.across * 0.8, 0.85, 0.5 + light.back
    norm = (right * right + up * up + towards * towards) ** 0.5
    facing = np.sqrt(np.maximum(1 - relief.right * relief.right - relief.up * relief.up, 0))
    lit = (relief.right * (right / norm) + relief.up * (up / norm)) + facing * (towards / norm)
    shine = np.maximum(lit - 0.94, 0) * np.float32(1 / 0.06)
    bright = np.minimum(np.maximum(lit, 0) * 1.12, 1)
    light_on_it: Array = 1 - ((1 - AMBIENT) * depth) * (1 - bright) + gloss * shine * shine
    return light_on_it


@dataclass(frozen=True)
class Outline:
    """What casts a shadow: a silhouette's signed `distance(x, y)`, half its width (`reach`), how far it may go beyond
    its box (`margin`), and half of what it stands on (`foot`), all in heights."""

    distance: Callable[[Array, Array], Array]
    reach: float
    margin: float
    foot: float

    @property
    def contact(self) -> tuple[float, float]:
        """Half axes, across and in depth, of the ellipse at the foot that light from all around does not reach."""
        return self.foot * 1.25, 0.05 + 0.45 * self.foot


def shadow_window(item: Item, outline: Outline, light: Light, camera: Camera, at: Grid) -> tuple[slice, slice]:
    """Rows and columns that a thing's shadow can touch."""
    high = item.size * (1 + outline.margin) * (1 + BLUR / 2) + SHARPEST
    wide = item.size * (outline.reach + outline.margin + BLUR / 2 * (1 + outline.margin)) + SHARPEST
    end = min(item.z + light.back * high, camera.wall)
    climbed = high - (end - item.z) / light.back
    moved = light.across * (end - item.z) / light.back
    near = item.z - item.size * outline.contact[1]
    corners = [
        camera.place(item.x + side * wide + shift, height, depth)
        for side in (-1, 1)
        for shift, height, depth in ((0, 0, near), (0, 0, item.z), (moved, climbed, end))
    ]
    across, down = zip(*corners, strict=True)
    return at.window(min(across), min(down), max(across), max(down))


def cast(item: Item, outline: Outline, light: Light, where: Room, window: tuple[slice, slice]) -> tuple[Array, Array]:
    """What a thing leaves of the light in a window: of the direct light, and of the light from all around.

    A place is in shadow when the ray from it towards the light passes the silhouette.
    """
    rows, columns = window
    x, y, z = where.x[rows, columns], where.y[rows], where.z[rows]
    away = z - np.float32(item.z)
    height = y + away / light.back
    beside = (x - np.float32(item.x) - away * np.float32(light.across / light.back)) / item.size
    blur = SHARPEST + BLUR * np.maximum(height, 0)
    dark = held(0.5 - outline.distance(beside, height / item.size) * item.size / blur)
    half, deep = (item.size * side for side in outline.contact)
    u, v = (x - np.float32(item.x)) / half, (away - 0.3 * deep) / deep
    near = np.maximum(1 - u * u - v * v, 0) * (y <= 0)
    return 1 - SHADOW * dark * (height > 0), 1 - CONTACT * near * near
