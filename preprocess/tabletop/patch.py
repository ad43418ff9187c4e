"""A painted thing before it is set into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice.preprocess.tabletop.colours import COLOURS, RGB
from sluice.preprocess.tabletop.grid import Array, Grid, coverage, held
from sluice.preprocess.tabletop.light import shade
from sluice.preprocess.tabletop.relief import Relief
from sluice.preprocess.tabletop.scene import Camera, Item, Light, Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.textures import TEXTURES

# How far the middle of a thing stands out towards the camera, in heights.
THICKNESS = 0.15
# How far the corners of a thing that leans reach beyond its upright box, in heights.
LEANING = 0.12


@dataclass(frozen=True)
class Patch:
    """A window of the picture: `layers` `(5, height, width)` red, green, blue, light and ink; `cover` how much of each
    pixel the thing covers; `bulge` towards the camera in metres; `classes` a number of CLASSES for all, or one a pixel.
    """

    window: tuple[slice, slice]
    layers: Array
    cover: Array
    bulge: Array
    classes: Array | int


@dataclass(frozen=True)
class Local:
    """A thing's own coordinates over a window: x from its middle, y from its foot, in heights; `pixel` is a side."""

    window: tuple[slice, slice]
    x: Array
    y: Array
    pixel: float


def local(item: Item, reach: float, camera: Camera, at: Grid, margin: float = 0.01) -> Local:
    """The window of a thing `reach` heights wide to each side, and `margin` heights more all around."""
    across, down = camera.place(item.x, 0, item.z)
    scale = camera.scale(item.z) * item.size
    wide, over = (reach + margin) * scale, margin * scale
    window = at.window(across - wide, down - scale - over, across + wide, down + over)
    rows, columns = window
    x = (at.across[:, columns] - np.float32(across)) / np.float32(scale)
    y = (np.float32(down) - at.down[rows]) / np.float32(scale)
    return Local(window, x, y, 1 / (at.unit * scale))


def leaning(x: Array, y: Array, tilt: float) -> tuple[Array, Array]:
    """Coordinates turned about a thing's middle; `tilt` is the tangent of half the angle, clockwise."""
    if tilt == 0:
        return x, y
    cos, sin = (1 - tilt * tilt) / (1 + tilt * tilt), 2 * tilt / (1 + tilt * tilt)
    y = y - 0.5
    return x * cos - y * sin, x * sin + y * cos + 0.5


def silhouette(thing: Thing, x: Array, y: Array) -> Array:
    """Signed distance to a thing's outline, in heights, from the middle of its foot."""
    x, y = leaning(x, y, thing.tilt)
    found: Array = SHAPES[thing.shape].distance(x * thing.mirror, y)
    return found


def paint_thing(thing: Thing, light: Light, camera: Camera, at: Grid, number: int) -> Patch:
    """An object; `number` is its class."""
    shape, colour = SHAPES[thing.shape], COLOURS[thing.colour]
    place = local(thing, shape.reach, camera, at, LEANING if shape.leans else 0.01)
    x, y = leaning(place.x, place.y, thing.tilt)
    x = x * thing.mirror
    distance = shape.distance(x, y)
    relief = shape.relief(x, y, distance, place.pixel)
    # Reliefs of upright shapes are known in the shape's own, mirrored frame.
    turned = relief if shape.leans else Relief(relief.right * thing.mirror, relief.up, relief.bulge)
    # Marks draw together where the surface turns away.
    along, up = shape.unwrap(x, y)
    marks = TEXTURES[thing.texture](along / (0.72 + 0.28 * relief.bulge), up, colour.share, place.pixel)
    layers = np.empty((5, *distance.shape), np.float32)
    blend(layers, colour.body, colour.marks, marks, thing.tone)
    layers[3] = shade(turned, light, colour.shade)
    layers[4] = outline(distance, place.pixel)
    if relief.creases is not None:
        np.maximum(layers[4], relief.creases, out=layers[4])
    layers[4] *= colour.ink
    return Patch(place.window, layers, coverage(distance, place.pixel), relief.bulge * (THICKNESS * thing.size), number)


def blend(layers: Array, first: RGB, second: RGB, mix: Array, tone: float = 1.0) -> None:
    """Fill the colours of `layers` with a mixture of two colours, brightened by `tone`."""
    for plane, a, b in zip(layers, first, second, strict=False):
        np.add(mix * np.float32((b - a) * tone), np.float32(a * tone), out=plane)


def outline(distance: Array, pixel: float) -> Array:
    """Ink along the inside of an outline, a pixel or a fortieth of the height wide."""
    return held(1 + distance / max(1.2 * pixel, 0.025))
