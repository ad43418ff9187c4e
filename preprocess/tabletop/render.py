"""A scene to its picture and every truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from sluice.preprocess.tabletop import figure, patch, plate
from sluice.preprocess.tabletop.backdrop import paint_backdrop, room
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.grid import Array, Grid, Size, grid, held, paper
from sluice.preprocess.tabletop.light import Outline, cast, shadow_window
from sluice.preprocess.tabletop.patch import Patch
from sluice.preprocess.tabletop.scene import Figure, Item, Plate, Scene
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.styles import STYLES

WALL, TABLE, FIRST = 0, 1, 2


@dataclass(frozen=True)
class Rendered:
    """A picture `image` `(height, width, 3)` uint8, and what is true of it.

    `depth` float32 metres along the optical axis; `instances` uint8: 0 the wall, 1 the table, k + 2 the scene's k-th
    thing; `semantic` uint8, numbers of CLASSES. `boxes` `(things, 4)` left, top, right, bottom in pixels, the last
    two one past the end, as if nothing stood before a thing (zeros where it is out of the picture); `visible_boxes`
    of what is seen. `keypoints` `(figures, 18, 3)` x, y in pixels (the first pixel's centre is 0) and 1 where the point
    is in sight, else 0; `landmarks` `(plates, 5, 3)` likewise; `shadow` float32 `(height, width)`: what share of the
    light things take from wall and table.
    """

    image: Array
    depth: Array
    instances: Array
    semantic: Array
    boxes: Array
    visible_boxes: Array
    keypoints: Array
    landmarks: Array
    shadow: Array


def render(scene: Scene, size: Size = 128) -> Rendered:
    """The scene as a picture `size` pixels square, or `(height, width)`. Raises ValueError for less than 8 pixels."""
    at = grid(size)
    canvas = _Canvas(scene, at)
    boxes = np.zeros((len(scene.things), 4), np.int32)
    patches = {}
    for k in scene.far_to_near():
        patches[k] = _paint(scene.things[k], scene, at)
        canvas.set_in(patches[k], k + FIRST)
        boxes[k] = _box(patches[k].cover >= 0.5, patches[k].window)
    visible = np.zeros_like(boxes)
    for k, painted in patches.items():
        visible[k] = _box(canvas.instances[painted.window] == k + FIRST, painted.window)
    return Rendered(
        canvas.image(),
        canvas.depth,
        canvas.instances,
        canvas.semantic,
        boxes,
        visible,
        _points(scene, at, canvas.instances, Figure, 18),
        _points(scene, at, canvas.instances, Plate, 5),
        canvas.shadow,
    )


def background(scene: Scene, k: int, size: Size = 128) -> Rendered:
    """The scene with its k-th thing and that thing's shadow removed: picture and truths. Raises IndexError."""
    return render(scene.without(k), size)


class _Canvas:
    """The picture while it is painted: the empty room with all shadows, then thing over thing."""

    def __init__(self, scene: Scene, at: Grid) -> None:
        self.scene, self.at = scene, at
        shape = (at.height, at.width)
        self.layers = np.zeros((5, *shape), np.float32)
        where = room(scene, at)
        paint_backdrop(scene, at, where, self.layers[:3], self.layers[3])
        direct, around = np.ones(shape, np.float32), np.ones(shape, np.float32)
        for item in scene.things:
            outline = _outline(item)
            window = shadow_window(item, outline, scene.light, scene.camera, at)
            cast_direct, cast_around = cast(item, outline, scene.light, where, window)
            # One light: where two shadows meet, the darker one is all there is.
            np.minimum(direct[window], cast_direct, out=direct[window])
            np.minimum(around[window], cast_around, out=around[window])
        direct *= around
        self.shadow = 1 - direct
        self.layers[3] *= direct
        table = where.table >= 0.5
        self.depth = np.broadcast_to(where.z, shape).copy()
        self.instances = np.broadcast_to(np.where(table, np.uint8(TABLE), np.uint8(WALL)), shape).copy()
        self.semantic = self.instances.copy()

    def set_in(self, patch: Patch, number: int) -> None:
        """Lay a thing over what is there."""
        rows, columns = patch.window
        behind = self.layers[:, rows, columns]
        behind += patch.cover * (patch.layers - behind)
        inside = patch.cover >= 0.5
        z = np.float32(self.scene.things[number - FIRST].z)
        np.copyto(self.depth[patch.window], z - patch.bulge, where=inside)
        np.copyto(self.instances[patch.window], np.uint8(number), where=inside)
        np.copyto(self.semantic[patch.window], np.asarray(patch.classes, np.uint8), where=inside)

    def image(self) -> Array:
        """The finished picture, in the scene's style."""
        sheet = paper(self.at, self.scene.paper)
        colours = STYLES[self.scene.style](self.layers[:3], self.layers[3], self.layers[4], sheet, self.at)
        np.multiply(held(colours), 255, out=colours)
        colours += 0.5
        # Thrice as fast as a transposed copy.
        return np.stack(list(colours.astype(np.uint8)), axis=-1)


def _outline(item: Item) -> Outline:
    if isinstance(item, Figure):
        return Outline(partial(figure.silhouette, item), figure.REACH, figure.MARGIN, figure.FOOT)
    if isinstance(item, Plate):
        return Outline(partial(plate.silhouette, item), plate.REACH, 0, plate.FOOT)
    shape = SHAPES[item.shape]
    return Outline(partial(patch.silhouette, item), shape.reach, patch.LEANING * shape.leans, shape.foot)


def _paint(item: Item, scene: Scene, at: Grid) -> Patch:
    if isinstance(item, Figure):
        return figure.paint_figure(item, scene.light, scene.camera, at, class_number("figure"))
    if isinstance(item, Plate):
        return plate.paint_plate(item, scene.light, scene.camera, at)
    return patch.paint_thing(item, scene.light, scene.camera, at, class_number(item.shape))


def _box(inside: Array, window: tuple[slice, slice]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the true pixels of a window; zeros where there is none."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    top, left = window[0].start, window[1].start
    return int(left + columns[0]), int(top + rows[0]), int(left + columns[-1] + 1), int(top + rows[-1] + 1)


def _points(scene: Scene, at: Grid, instances: Array, kind: type[Figure] | type[Plate], count: int) -> Array:
    """Points `(things of a kind, count, 3)` in pixels, with 1 where the thing itself is seen at them."""
    found = [(k, item) for k, item in enumerate(scene.things) if isinstance(item, kind)]
    points = np.zeros((len(found), count, 3))
    for row, (k, item) in zip(points, found, strict=True):
        own = figure.joints(item.pose) if isinstance(item, Figure) else plate.landmarks(item)
        for point, (x, y) in zip(row, own.tolist(), strict=True):
            across, down = scene.camera.place(item.x + x * item.size, y * item.size, item.z)
            point[:2] = at.column(across), at.row(down)
            column, line = round(point[0]), round(point[1])
            inside = 0 <= column < at.width and 0 <= line < at.height
            point[2] = inside and instances[line, column] == k + FIRST
    return points
