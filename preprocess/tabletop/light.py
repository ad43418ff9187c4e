"""Light on things, and the shadows that they cast on the table and up the wall."""

from __future__ import annotations

from collections.abc import Callable

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


Distance = Callable[[Array, Array], Array]


def shadow_window(item: Item, reach: float, light: Light, camera: Camera, at: Grid) -> tuple[slice, slice]:
    """Rows and columns that a thing's shadow can touch; `reach` is half its width in metres."""
    end = min(item.z + light.back * item.size, camera.wall)
    climbed = item.size - (end - item.z) / light.back
    wide = reach + item.size * BLUR + 0.02
    moved = light.across * (end - item.z) / light.back
    near = max(item.z - wide, 0.3 * item.z)
    corners = [
        camera.place(item.x + side * wide + shift, height, depth)
        for side in (-1, 1)
        for shift, height, depth in ((0, 0, near), (0, 0, item.z), (moved, climbed + 0.03, end))
    ]
    across, down = zip(*corners, strict=True)
    return at.window(min(across), min(down), max(across), max(down))


def cast(
    item: Item, distance: Distance, foot: float, light: Light, where: Room, window: tuple[slice, slice]
) -> tuple[Array, Array]:
    """What a thing leaves of the light in a window: of the direct light, and of the light from all around.

    `distance` is its silhouette's, in heights; `foot` half of what it stands on, in heights. A place is in shadow when
    the ray from it towards the light passes the silhouette.
    """
    rows, columns = window
    x, y, z = where.x[rows, columns], where.y[rows], where.z[rows]
    away = z - np.float32(item.z)
    height = y + away / light.back
    beside = (x - np.float32(item.x) - away * np.float32(light.across / light.back)) / item.size
    blur = SHARPEST + BLUR * np.maximum(height, 0)
    dark = held(0.5 - distance(beside, height / item.size) * item.size / blur)
    half, deep = item.size * foot * 1.25, item.size * (0.05 + 0.45 * foot)
    u, v = (x - np.float32(item.x)) / half, (away - 0.3 * deep) / deep
    near = np.maximum(1 - u * u - v * v, 0) * (y <= 0)
    return 1 - SHADOW * dark * (height > 0), 1 - CONTACT * near * near
