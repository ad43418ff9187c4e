"""From heat maps and part affinity fields to people (Cao et al., CVPR 2017), with a greedy grouping of our own.

Legend: heats `(18, height, width)`, a map for each point; fields `(19, 2, height, width)`, for each limb the unit
vector from its first point to its second, wherever the limb lies. Coordinates are in cells of the maps, x before y.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates

from sluice.preprocess.perception.skeleton import FEWEST_POINTS, POINTS, Person
from sluice.preprocess.record import Array

# The limbs in the order of the network's fields; the two from a shoulder to an ear are never drawn.
FIELD_LIMBS = (
    (1, 8),
    (8, 9),
    (9, 10),
    (1, 11),
    (11, 12),
    (12, 13),
    (1, 2),
    (2, 3),
    (3, 4),
    (2, 16),
    (1, 5),
    (5, 6),
    (6, 7),
    (5, 17),
    (1, 0),
    (0, 14),
    (0, 15),
    (14, 16),
    (15, 17),
)
SAMPLES = 10
WEAKEST_SAMPLE = 0.05
AGREEING_SHARE = 0.8


def peaks(heat: Array, threshold: float) -> Array:
    """The local maxima of one heat map above a threshold: `(n, 3)` x, y and height, in the map's order.

    A maximum is placed between the cells by the parabola through the logarithms of it and its neighbours, which is
    exact for a Gaussian.
    """
    rim = np.pad(heat, 1, constant_values=-np.inf)
    height, width = heat.shape
    highest = heat > threshold
    for dy, dx in np.ndindex(3, 3):
        neighbour = rim[dy : dy + height, dx : dx + width]
        if (dy, dx) < (1, 1):
            highest &= heat > neighbour
        elif (dy, dx) > (1, 1):
            # Of a plateau only the first cell counts.
            highest &= heat >= neighbour
    rows, columns = np.nonzero(highest)
    logs = np.log(np.maximum(np.pad(heat, 1, mode="edge"), 1e-6))
    x = columns + _vertex(*(logs[rows + 1, columns + d] for d in range(3)))
    y = rows + _vertex(*(logs[rows + d, columns + 1] for d in range(3)))
    return np.stack([x, y, heat[rows, columns]], axis=1)


def _vertex(before: Array, at: Array, after: Array) -> Array:
    """Where the parabola through three neighbours has its top, as an offset from the middle one in -0.5 .. 0.5."""
    curvature = before - 2 * at + after
    offset = np.where(curvature < 0, (before - after) / np.where(curvature < 0, 2 * curvature, 1), 0)
    return np.clip(offset, -0.5, 0.5)


def limb_scores(field: Array, starts: Array, ends: Array) -> Array:
    """How well a limb's field `(2, height, width)` supports each pair of points: `(n, m)`, 0 where it does not.

    The mean, over ten places between the two points, of the field's component along their direction; less for limbs
    longer than half the map; 0 where more than a fifth of the places disagree.
    """
    along = ends[None, :, :2] - starts[:, None, :2]
    length = np.linalg.norm(along, axis=2)
    direction = along / np.maximum(length, 1e-6)[..., None]
    steps = np.linspace(0, 1, SAMPLES)[:, None, None, None]
    places = starts[:, None, :2] + steps * along
    x, y = places[..., 0], places[..., 1]
    dots = sum(
        map_coordinates(part, [y, x], order=1, mode="nearest") * direction[..., axis] for axis, part in enumerate(field)
    )
    far = np.minimum(field.shape[1] / 2 / np.maximum(length, 1e-6) - 1, 0)
    agrees = (dots > WEAKEST_SAMPLE).mean(axis=0) >= AGREEING_SHARE
    scores: Array = np.where(agrees, np.maximum(dots.mean(axis=0) + far, 0), 0)
    return scores


class Bond(NamedTuple):
    """Two points that a limb may join; the order of bonds is the order of trust."""

    minus_score: float
    limb: int
    start: int
    end: int


def _bonds(points: list[Array], fields: Array) -> list[Bond]:
    bonds = []
    for limb, (a, b) in enumerate(FIELD_LIMBS):
        scores = limb_scores(fields[limb], points[a], points[b])
        bonds += [Bond(-round(float(scores[i, j]), 6), limb, int(i), int(j)) for i, j in np.argwhere(scores > 0)]
    return sorted(bonds)


def group(points: list[Array], fields: Array) -> list[Person]:
    """The people that points and fields speak for; each has at least four points.

    Every bond between two points, the best first, joins the groups that they belong to, unless both groups hold a point
    of the same kind: one person has one nose. So a strong limb is never given up for a weak one, whichever limb it is,
    and no order of the limbs is built in.
    """
    groups: dict[tuple[int, int], dict[int, int]] = {
        (kind, i): {kind: i} for kind, found in enumerate(points) for i in range(len(found))
    }
    for bond in _bonds(points, fields):
        a, b = FIELD_LIMBS[bond.limb]
        first, second = groups[a, bond.start], groups[b, bond.end]
        if first is second or first.keys() & second.keys():
            continue
        first.update(second)
        groups.update(((kind, i), first) for kind, i in second.items())
    distinct = {id(members): members for members in groups.values()}.values()
    return [_person(points, members) for members in distinct if len(members) >= FEWEST_POINTS]


def _person(points: list[Array], members: dict[int, int]) -> Person:
    rows = np.zeros((len(POINTS), 3))
    for kind, i in members.items():
        rows[kind] = points[kind][i]
    return Person(rows)
