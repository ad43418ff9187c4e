"""Contact sheets: many pictures in one, for eyes. `docs/images/tabletop.jpg` is `guide_sheet()`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sluice.preprocess.tabletop.draw import draw_scene
from sluice.preprocess.tabletop.grid import Array
from sluice.preprocess.tabletop.law import LAWS, SceneLaw
from sluice.preprocess.tabletop.render import render
from sluice.preprocess.tabletop.scene import Scene

GAP = 4
PAGE = 255
COLUMNS = 8
GUIDE_SEED = 7
# The wall's, the table's, then those of things, neighbours far apart.
LABEL_COLOURS = np.array(
    [
        (58, 62, 72),
        (112, 106, 98),
        (230, 92, 70),
        (72, 150, 214),
        (244, 196, 72),
        (96, 182, 120),
        (176, 112, 200),
        (240, 140, 170),
        (110, 206, 206),
        (196, 160, 120),
    ],
    np.uint8,
)


def contact_sheet(
    seed: int = 0, rows: int = 4, columns: int = COLUMNS, size: int = 144, law: SceneLaw = LAWS["tabletop"]
) -> Array:
    """The first scenes of a seed, row by row, uint8 `(height, width, 3)`."""
    return tile(_pictures(seed, range(rows * columns), size, law), columns)


def guide_sheet(size: int = 144) -> Array:
    """Four rows of scenes, one of faces, and two of truths: a picture, its depth (near is bright), its instances, and
    the picture without its nearest thing."""
    scenes = _pictures(GUIDE_SEED, range(4 * COLUMNS), size, LAWS["tabletop"])
    faces = _pictures(GUIDE_SEED, range(COLUMNS), size, LAWS["faces"])
    known = [draw_scene(GUIDE_SEED, index) for index in range(COLUMNS)]
    return tile([*scenes, *faces, *(picture for scene in known[:4] for picture in truths(scene, size))], COLUMNS)


def truths(scene: Scene, size: int) -> list[Array]:
    """A scene's picture, depth, instances and true background as pictures; that of an empty table is its picture."""
    nearest = scene.nearest()
    found = render(scene, size)
    behind = found if nearest is None else render(scene.without(nearest), size)
    near = 1 / found.depth
    grey = (255 * (near - near.min()) / (near.max() - near.min())).astype(np.uint8)
    return [found.image, np.repeat(grey[..., None], 3, axis=2), LABEL_COLOURS[found.instances], behind.image]


def tile(pictures: Sequence[Array], columns: int, gap: int = GAP) -> Array:
    """Pictures of one size on a white page; what is missing of the last row stays white."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    page = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), PAGE, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        page[top : top + height, left : left + width] = picture
    return page


def _pictures(seed: int, indices: Iterable[int], size: int, law: SceneLaw) -> list[Array]:
    return [render(draw_scene(seed, index, law), size).image for index in indices]
