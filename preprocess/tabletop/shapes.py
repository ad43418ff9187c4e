"""Twelve shapes that a silhouette tells apart, as signed distances, each with a relief that takes light.

A shape stands on y = 0, is 1 high and about as wide, x = 0 being its middle. Distances are negative inside, true near
the outline, and in units of the height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sluice.preprocess.tabletop.grid import Array, coverage, held
from sluice.preprocess.tabletop.relief import Modelling, Relief, length, pillow, turned

# Sine and cosine of 36 degrees, which the star is folded by.
SIN36, COS36 = 0.5877852522924731, 0.8090169943749475


Distance = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Shape:
    """`distance(x, y)`; `relief(x, y, distance, pixel)`; `reach` half its width; `foot` half of what it stands on.

    Only flat shapes lean: a bottle that leans falls. `unwrap(x, y)` is where the surface lies on a flat texture.
    """

    distance: Distance
    relief: Modelling
    reach: float
    foot: float
    leans: bool = False
    unwrap: Callable[[Array, Array], tuple[Array, Array]] = lambda x, y: (x, y)


def box(x: Array, y: Array, half_width: float, half_height: float) -> Array:
    """Signed distance to a box around the origin."""
    over_x, over_y = np.abs(x) - half_width, np.abs(y) - half_height
    outside = length(np.maximum(over_x, 0), np.maximum(over_y, 0))
    found: Array = outside + np.minimum(np.maximum(over_x, over_y), 0)
    return found


def _ellipse(x: Array, y: Array, wide: float, high: float) -> Array:
    """Signed distance to an ellipse around the origin, to the first order: how far out, by how steeply that grows."""
    u, v = x / wide, y / high
    out = np.maximum(length(u, v), 1e-6)
    found: Array = (out - 1) * out / np.maximum(length(u / wide, v / high), 1e-6)
    return found


def _ball(x: Array, y: Array) -> Array:
    return length(x, y - 0.5) - 0.5


def _ball_relief(x: Array, y: Array, _distance: Array, _pixel: float) -> Relief:
    right, up = x * 2 + 0 * y, y * 2 - 1 + 0 * x
    return Relief(right, up, np.sqrt(np.maximum(1 - right * right - up * up, 0)))


# A cube seen a little from above and from the right: its front's half side, and how far its back is shifted.
FRONT, BACK = 0.38, 0.24


def _cube(x: Array, y: Array) -> Array:
    u, v = x + BACK / 2, y - FRONT
    slanted = (np.abs(u - v - 0 * x) - 2 * FRONT) * np.float32(0.70710678)
    upright = np.maximum(np.maximum(-u - FRONT, u - FRONT - BACK), np.maximum(-v - FRONT, v - FRONT - BACK))
    found: Array = np.maximum(upright, slanted)
    return found


def _cube_relief(x: Array, y: Array, _distance: Array, pixel: float) -> Relief:
    """Front, side and top; three edges meet at the front's upper right corner."""
    u, v = x + BACK / 2, y - FRONT
    edges = np.maximum(np.abs(u - FRONT), v - FRONT), np.maximum(np.abs(v - FRONT), u - FRONT)
    slanted = np.maximum(np.abs(u - v) * np.float32(0.70710678), FRONT - u)
    creases = held(1 - np.minimum(np.minimum(*edges), slanted) / max(pixel, 0.02))
    side, top = np.maximum(u - FRONT, 0), np.maximum(v - FRONT, 0)
    on_side, on_top = (side > 0) & (side >= top), (top > 0) & (top > side)
    back = np.maximum(side, top) / BACK
    right, up = np.where(on_side, np.float32(0.85), np.float32(0)), np.where(on_top, np.float32(0.8), np.float32(0.05))
    return Relief(right, up, 1 - back, creases)


def _cube_unwrap(x: Array, y: Array) -> tuple[Array, Array]:
    """Both other faces folded out: what goes back by BACK is as long as the front."""
    side, top = np.maximum(x + BACK / 2 - FRONT, 0), np.maximum(y - 2 * FRONT, 0)
    stretch = 2 * FRONT / BACK
    back = np.where(side >= top, side, top)
    return (
        np.where(side >= top, x + back * (stretch - 1), x - back),
        np.where(side >= top, y - back, y + back * (stretch - 1)),
    )


def _cone_radius(y: Array) -> Array:
    return np.maximum(0.45 * (1 - y) / 0.93, 0.02)


def _cone(x: Array, y: Array) -> Array:
    flank = (np.abs(x) - 0.45 * (1 - y) / 0.93) * np.float32(0.9)
    return np.where(y > 0.07, flank, _ellipse(x, y - 0.07, 0.45, 0.07))


def _star(x: Array, y: Array) -> Array:
    """Folded three times onto one edge between a tip and the notch beside it."""
    tip, notch = 0.553, 0.27
    x, y = np.abs(x), y - np.float32(0.4474)
    # The mirror 72 degrees off the upright, whose normal points to larger angles, then 0, then 36.
    cos72, sin72 = 2 * COS36 * COS36 - 1, 2 * SIN36 * COS36
    over = 2 * np.maximum(x * cos72 - y * sin72, 0)
    x, y = np.abs(x - over * cos72), y + over * sin72
    over = 2 * np.maximum(x * COS36 - y * SIN36, 0)
    x, y = x - over * COS36, y + over * SIN36
    edge_x, edge_y = notch * SIN36, notch * COS36 - tip
    norm = (edge_x * edge_x + edge_y * edge_y) ** 0.5
    found: Array = ((y - tip) * edge_x - x * edge_y) / norm
    return found


def _heart(x: Array, y: Array) -> Array:
    """Two arcs on a right-angled corner that stands on its tip."""
    size = 1.1036
    x, y = np.abs(x) * size, y * size
    arc = length(x - 0.25, y - 0.75) - np.float32(0.35355339)
    along = np.maximum(x + y, 0) / 2
    edges = np.minimum(length(x, y - 1), length(x - along, y - along))
    found: Array = np.where(x + y > 1, arc, np.where(x > y, edges, -edges)) / size
    return found


def _ring(x: Array, y: Array) -> Array:
    return np.abs(length(x, y - 0.5) - 0.36) - 0.14


def _ring_relief(x: Array, y: Array, _distance: Array, _pixel: float) -> Relief:
    away = length(x, y - 0.5)
    across = np.clip((away - 0.36) / 0.14, -1, 1)
    outward = across / np.maximum(away, 0.05)
    return Relief(x * outward, (y - 0.5) * outward, np.sqrt(1 - across * across))


def _cross(x: Array, y: Array) -> Array:
    y = y - 0.5
    return np.minimum(box(x, y, 0.5, 0.17), box(x, y, 0.17, 0.5))


def _moon(x: Array, y: Array) -> Array:
    x = x + 0.1
    return np.maximum(length(x, y - 0.5) - 0.5, 0.41 - length(x - 0.24, y - 0.56))


def _bottle_radius(y: Array) -> Array:
    """Body, shoulder and neck with a lip."""
    shoulder = np.minimum(np.maximum(0.22 - (y - 0.5) * 0.62, 0.085), np.minimum(0.19 + np.maximum(y, 0), 0.22))
    radius: Array = np.where(y > 0.87, np.float32(0.115), shoulder)
    return radius


def _bottle(x: Array, y: Array) -> Array:
    found: Array = np.maximum(np.abs(x) - _bottle_radius(y), np.maximum(y - 1, -y))
    return found


# A mug's body: middle, half width, the heights of its rim's middle and of its base's, and how flat these look.
MUG, MUG_HALF, RIM, RIM_HALF = -0.12, 0.36, 0.92, 0.08


def _mug_handle(x: Array, y: Array) -> Array:
    return np.abs(length((x - 0.24) * 1.05, y - 0.5) - 0.24) - 0.065


def _mug(x: Array, y: Array) -> Array:
    u = x - MUG
    side = np.maximum(np.abs(u) - MUG_HALF, np.maximum(y - RIM, RIM_HALF - y))
    ends = np.minimum(_ellipse(u, y - RIM, MUG_HALF, RIM_HALF), _ellipse(u, y - RIM_HALF, MUG_HALF, RIM_HALF))
    return np.minimum(np.minimum(side, ends), _mug_handle(x, y))


def _mug_relief(x: Array, y: Array, distance: Array, pixel: float) -> Relief:
    u = x - MUG
    right = np.clip(u / MUG_HALF, -1, 1) + 0 * y
    inside = coverage(_ellipse(u, y - RIM, MUG_HALF - 0.04, RIM_HALF - 0.025), pixel)
    handle = right >= 1
    rounded = pillow(0.065)(x, y, distance, pixel)
    return Relief(
        np.where(handle, rounded.right, right * (1 - 2 * inside)),
        np.where(handle, rounded.up, 0.1 - 0.85 * inside),
        np.where(handle, 0.3 * rounded.bulge, np.sqrt(1 - right * right) * (1 - 0.9 * inside)),
    )


def _arrow(x: Array, y: Array) -> Array:
    y = y - 0.5
    head = np.maximum(0.02 - x, (np.abs(y) - (0.62 - x) * np.float32(0.8333)) * np.float32(0.768))
    return np.minimum(box(x + 0.28, y, 0.34, 0.17), head)


TIERS = ((0.16, 0.56, 0.46), (0.4, 0.8, 0.37), (0.64, 1.0, 0.27))


def _tree_radius(y: Array) -> Array:
    """The widest tier at each height, or the trunk."""
    radius = np.where(y < TIERS[0][0], np.float32(0.09), np.float32(0))
    for bottom, top, wide in TIERS:
        radius = np.maximum(radius, np.where(y >= bottom, wide * (top - y) / (top - bottom), 0))
    return np.maximum(radius, 0.01)


def _tree(x: Array, y: Array) -> Array:
    across = np.abs(x)
    distance = np.maximum(across - 0.09, np.abs(y - 0.1) - 0.1)
    for bottom, top, wide in TIERS:
        slope = wide / (top - bottom)
        flank = (across - slope * (top - y)) / (1 + slope * slope) ** 0.5
        distance = np.minimum(distance, np.maximum(flank, bottom - y))
    return distance


SHAPES: dict[str, Shape] = {
    "ball": Shape(_ball, _ball_relief, 0.5, 0.22),
    "cube": Shape(_cube, _cube_relief, 0.5, 0.45, unwrap=_cube_unwrap),
    "cone": Shape(_cone, turned(_cone_radius, 0.3), 0.45, 0.42),
    "star": Shape(_star, pillow(0.16), 0.53, 0.34, leans=True),
    "heart": Shape(_heart, pillow(0.2), 0.55, 0.1, leans=True),
    "ring": Shape(_ring, _ring_relief, 0.5, 0.2),
    "cross": Shape(_cross, pillow(0.08), 0.5, 0.17, leans=True),
    "moon": Shape(_moon, pillow(0.16), 0.6, 0.2, leans=True),
    "bottle": Shape(_bottle, turned(_bottle_radius), 0.23, 0.22),
    "mug": Shape(_mug, _mug_relief, 0.56, 0.38),
    "arrow": Shape(_arrow, pillow(0.1), 0.63, 0.2, leans=True),
    "tree": Shape(_tree, turned(_tree_radius, 0.3), 0.46, 0.1),
}
