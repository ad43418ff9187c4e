"""That walls, tints, tables and styles tell apart, and that patterns have their size in metres."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from sluice.preprocess.tabletop import LAWS, Scene, draw_scene, render
from sluice.preprocess.tabletop.backdrop import TABLES, WALLS, room
from sluice.preprocess.tabletop.colours import MATERIALS, TINTS
from sluice.preprocess.tabletop.grid import Array, grid
from sluice.preprocess.tabletop.scene import Table, Wall
from sluice.preprocess.tabletop.styles import STYLES

EMPTY = replace(LAWS["tabletop"], objects=(0, 0), figure=0, plate=0, styles=("soft",), walls=("plain",))


def empty(**changes: object) -> Scene:
    return replace(draw_scene(3, 1, EMPTY), **changes)  # type: ignore[arg-type]


def apart(pictures: list[Array]) -> float:
    """The least mean difference between any two."""
    return min(float(np.abs(a.astype(float) - b).mean()) for a, b in combinations(pictures, 2))


def test_every_tint_pattern_and_material_has_its_colours() -> None:
    assert set(TABLES) == set(MATERIALS)
    assert set(WALLS) == set(LAWS["tabletop"].walls)
    walls = [render(empty(wall=Wall(pattern, "sage", 1, 0))).image[:50] for pattern in WALLS]
    assert apart(walls) > 2
    assert apart([render(empty(wall=Wall("plain", tint, 1, 0))).image[:50] for tint in TINTS]) > 8
    assert apart([render(empty(table=Table(material, 0))).image[90:] for material in TABLES]) > 8


def test_styles_tell_apart_on_one_scene() -> None:
    scene = draw_scene(3, 2, LAWS["two"])
    assert apart([render(replace(scene, style=style)).image for style in STYLES]) > 3


def test_a_larger_scale_makes_larger_bricks() -> None:
    def edges(scale: float) -> int:
        column = render(empty(wall=Wall("brick", "clay", scale, 0.1)), 256).image[:120, 128].astype(int).sum(axis=1)
        return int((np.abs(np.diff(column)) > 30).sum())

    assert edges(0.6) > 1.5 * edges(1.3)


def test_the_room_is_in_metres() -> None:
    scene, at = empty(), grid(200)
    where = room(scene, at)
    for row, column in ((10, 30), (80, 150), (150, 20), (199, 199)):
        place = scene.camera.place(float(where.x[row, column]), float(where.y[row, 0]), float(where.z[row, 0]))
        assert at.column(place[0]) == pytest.approx(column, abs=0.01)
        assert at.row(place[1]) == pytest.approx(row, abs=0.01)
    assert set(np.unique(where.table > 0.5)) == {False, True}
    assert ((where.table > 0) & (where.table < 1)).sum() <= 2
