"""The wall and the table: six wall patterns, five table materials, and the light that falls off towards the corner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sluice.preprocess.tabletop.colours import MATERIALS, RGB, TINTS
from sluice.preprocess.tabletop.grid import Array, Grid, held, lines, noise, smooth
from sluice.preprocess.tabletop.scene import FOCAL, Scene


@dataclass(frozen=True)
class Room:
    """Where each pixel of the empty scene lies, in metres: `x` right of the middle `(height, width)`, `y` above the
    table and `z` from the camera `(height, 1)`.

    `table` `(height, 1)` is how much of a row of pixels shows the table: 0, 1, or between where it meets the wall.
    """

    x: Array
    y: Array
    z: Array
    table: Array


def room(scene: Scene, at: Grid) -> Room:
    """The scene's empty room as a picture's pixels see it."""
    camera = scene.camera
    edge = camera.horizon + FOCAL * camera.height / camera.wall
    table = held((at.down - edge) * at.unit + 0.5)
    below = np.maximum(at.down, edge) - camera.horizon
    z = np.where(table >= 0.5, FOCAL * camera.height / below, camera.wall).astype(np.float32)
    y = np.where(table >= 0.5, 0, camera.height - (at.down - camera.horizon) * camera.wall / FOCAL).astype(np.float32)
    return Room(at.across * z / FOCAL, y, z, table)


@dataclass(frozen=True)
class Surface:
    """How much of the second of two colours a pixel has, 0 to 1, and how bright it is, 1 being as it is."""

    mix: Array
    tone: Array


NONE = np.zeros((1, 1), np.float32)
ONE = np.ones((1, 1), np.float32)

# `(x, y, pixel)` in metres, already scaled and shifted.
Pattern = Callable[[Array, Array, float], Surface]


def _plain(_x: Array, _y: Array, _pixel: float) -> Surface:
    return Surface(NONE, ONE)


def _brick(x: Array, y: Array, pixel: float) -> Surface:
    long, high, joint = 0.26, 0.1, 0.014
    course = np.floor(y / high)
    shifted = x + (course % 2) * (long / 2)
    mortar = np.maximum(lines(shifted, long, joint, pixel), lines(y, high, joint, pixel))
    return Surface(mortar, 0.86 + 0.26 * noise(course * 137, np.floor(shifted / long) * 153))


def _stripes(x: Array, _y: Array, pixel: float) -> Surface:
    return Surface(np.maximum(lines(x, 0.2, 0.085, pixel), 0.6 * lines(x - 0.1, 0.2, 0.012, pixel)), ONE)


def _tiles(x: Array, y: Array, pixel: float) -> Surface:
    side = 0.19
    u, v = x / side, y / side
    column, row = np.floor(u + 0.5), np.floor(v + 0.5)
    grout = np.maximum(lines(x - side / 2, side, 0.013, pixel), lines(y - side / 2, side, 0.013, pixel))
    gloss = 0.06 * ((v - row) - (u - column))
    return Surface(grout, 0.94 + gloss + 0.12 * noise(row * 129, column * 141))


def _planks(x: Array, y: Array, pixel: float) -> Surface:
    wide = 0.17
    board = np.floor(x / wide)
    seam = lines(x, wide, 0.009, pixel)
    grain = noise(y * 60 + board * 171, x * 900)
    return Surface(NONE, (0.9 + 0.17 * noise(board * 167, board * 131)) * (1 - 0.45 * seam) * (0.9 + 0.2 * grain))


def _gradient(_x: Array, y: Array, _pixel: float) -> Surface:
    return Surface(smooth(held(y / 0.9)), ONE)


WALLS: dict[str, Pattern] = {
    "plain": _plain,
    "brick": _brick,
    "stripes": _stripes,
    "tiles": _tiles,
    "planks": _planks,
    "gradient": _gradient,
}

# `(x, z, pixel_x, pixel_z)` in metres.
Grain = Callable[[Array, Array, Array, Array], Surface]


def _boards(x: Array, z: Array, pixel_x: Array, _pixel_z: Array) -> Surface:
    wide = 0.21
    board = np.floor(x / wide)
    seam = lines(x, wide, 0.007, pixel_x)
    grain = noise(z * 70 + board * 183, x * 1100)
    return Surface(0.9 * np.maximum(grain - 0.4, 0) + 0.75 * seam, 0.92 + 0.17 * noise(board * 161, board * 117))


def _marble(x: Array, z: Array, _pixel_x: Array, _pixel_z: Array) -> Surface:
    cloud = noise(z * 220 + 80, x * 180)
    vein = np.abs(noise(z * 300 + x * 140, x * 200) - 0.5)
    return Surface(np.clip(0.85 - vein * 16, 0, 0.6) * (0.3 + cloud) + 0.25 * cloud, ONE)


def _linen(x: Array, z: Array, pixel_x: Array, pixel_z: Array) -> Surface:
    warp = np.maximum(lines(x, 0.42, 0.055, pixel_x), lines(x - 0.06, 0.42, 0.01, pixel_x))
    weft = np.maximum(lines(z, 0.42, 0.055, pixel_z), lines(z - 0.06, 0.42, 0.01, pixel_z))
    return Surface(0.36 * (warp + weft), 0.96 + 0.08 * noise(z * 400, x * 400))


def _granite(x: Array, z: Array, _pixel_x: Array, _pixel_z: Array) -> Surface:
    speckle = noise(z * 1100, x * 1100)
    return Surface(held(speckle * 2.6 - 1.0), 0.94 + 0.14 * noise(z * 1500 + 77, x * 1500))


TABLES: dict[str, Grain] = {
    "oak": _boards,
    "walnut": _boards,
    "marble": _marble,
    "linen": _linen,
    "granite": _granite,
}


def paint_backdrop(scene: Scene, at: Grid, where: Room, surface: Array, light: Array) -> None:
    """Fill `surface` `(3, height, width)` with the empty room's colours, `light` `(height, width)` with its light."""
    rows = where.table[:, 0]
    wall = slice(0, int(np.count_nonzero(rows < 1)))
    table = slice(int(np.count_nonzero(rows <= 0)), at.height)
    _mix(surface[:, wall], _wall(scene, at, wall), *TINTS[scene.wall.tint])
    # The one row that shows both is blended.
    seen = surface[:, table.start : wall.stop].copy()
    _mix(surface[:, table], _table(scene, at, table), *MATERIALS[scene.table.material])
    part = where.table[table.start : wall.stop]
    surface[:, table.start : wall.stop] = seen + (surface[:, table.start : wall.stop] - seen) * part
    np.multiply(_falloff(scene, at, where), 1 - 0.2 * (at.across * at.across + at.down * at.down), out=light)


def _wall(scene: Scene, at: Grid, rows: slice) -> Surface:
    camera, wall = scene.camera, scene.wall
    metres = camera.wall / FOCAL
    x, y = at.across * metres, camera.height - (at.down[rows] - camera.horizon) * metres
    pixel = metres / at.unit
    surface = WALLS[wall.pattern](x / wall.scale + wall.shift, y / wall.scale, pixel / wall.scale)
    # A skirting board along the table.
    board = held((0.045 - y) / pixel + 0.5)
    return Surface(surface.mix * (1 - board) + 0.75 * board, surface.tone + (1 - surface.tone) * board)


def _table(scene: Scene, at: Grid, rows: slice) -> Surface:
    camera = scene.camera
    z = FOCAL * camera.height / np.maximum(at.down[rows] - camera.horizon, FOCAL * camera.height / camera.wall)
    x = at.across * (z / FOCAL) + np.float32(scene.table.shift)
    pixel = z / (FOCAL * at.unit)
    return TABLES[scene.table.material](x, z + np.float32(scene.table.shift), pixel, pixel * z / camera.height)


def _mix(into: Array, surface: Surface, first: RGB, second: RGB) -> None:
    for plane, a, b in zip(into, first, second, strict=True):
        np.multiply(a + surface.mix * np.float32(b - a), surface.tone, out=plane)


def _falloff(scene: Scene, at: Grid, where: Room) -> Array:
    """Light is least where wall and table meet, and grows towards the side that it comes from."""
    corner = (where.y + scene.camera.wall - where.z) / 0.09
    lit = 1 - 0.3 / (1 + corner * corner) - 0.1 * (1 - where.table)
    return lit - np.float32(0.22 * scene.light.across) * at.across * (1.3 - where.table)
