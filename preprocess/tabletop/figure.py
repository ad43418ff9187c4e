"""The figure: a wooden stick-and-ball doll that faces the camera, with the 18 points of OpenPose."""

from __future__ import annotations

import math

import numpy as np

from sluice.preprocess.tabletop.colours import rgb, toward
from sluice.preprocess.tabletop.grid import Array, Grid, coverage, held
from sluice.preprocess.tabletop.light import shade
from sluice.preprocess.tabletop.patch import THICKNESS, Patch, blend, local, outline
from sluice.preprocess.tabletop.relief import length, pillow
from sluice.preprocess.tabletop.scene import Camera, Figure, Light, Pose

# Half its width with hanging arms, and how far raised or outstretched ones reach beyond, in heights.
REACH, MARGIN = 0.4, 0.2
FOOT = 0.16
PALE, DARK = rgb("e6bf8a"), rgb("9e6e47")
# The doll's own right and left have joints of a colour each: else a picture could not tell them apart.
RIGHT, LEFT = rgb("33858c"), rgb("db755c")
EYES = rgb("291f1a")

# Where a doll 1 high has its parts.
HIP, HIP_HALF, NECK, SHOULDER_HALF, HEAD = 0.47, 0.065, 0.775, 0.115, 0.89
UPPER_ARM, FOREARM, THIGH, SHANK = 0.17, 0.16, 0.215, 0.205
HEAD_RADIUS = 0.092

# Pairs of the 18 points that a stick joins, with its radius; the points that are balls.
STICKS = (
    (2, 3, 0.030),
    (3, 4, 0.025),
    (5, 6, 0.030),
    (6, 7, 0.025),
    (8, 9, 0.036),
    (9, 10, 0.029),
    (11, 12, 0.036),
    (12, 13, 0.029),
    (2, 5, 0.036),
    (8, 11, 0.044),
)
RIGHT_BALLS, LEFT_BALLS = (2, 3, 4, 8, 9, 10), (5, 6, 7, 11, 12, 13)
BALL = 0.037
# Nose, eyes and ears: which of the 18 points, how far to the picture's right of the head's middle, and how far up.
FACE = ((0, 0, -0.012), (14, -0.036, 0.014), (15, 0.036, 0.014), (16, -0.072, 0), (17, 0.072, 0))
# Where the sticks of the arms are among the parts, after trunk and neck.
ARMS = slice(2, 6)


def joints(pose: Pose) -> Array:
    """The 18 points `(18, 2)` of a doll 1 high, x right and y up from the middle of its foot.

    Its own right is the picture's left.
    """
    points = np.zeros((18, 2))
    hip = np.array([0.0, HIP])
    up = _turn(math.pi + pose.lean)
    side = np.array([up[1], -up[0]])
    points[1] = hip + (NECK - HIP) * up
    for sign, (shoulder, pelvis), arm, leg in (
        (-1, (2, 8), pose.right_arm, pose.right_leg),
        (1, (5, 11), pose.left_arm, pose.left_leg),
    ):
        points[shoulder] = points[1] + sign * SHOULDER_HALF * side
        points[pelvis] = hip + sign * HIP_HALF * side
        _limb(points, shoulder, sign, arm, (UPPER_ARM, FOREARM))
        _limb(points, pelvis, sign, leg, (THIGH, SHANK))
    head = points[1] + (HEAD - NECK) * up
    for index, right, height in FACE:
        # The face's points slide with the turn of the head; the ears stay on its outline.
        slide = pose.head * (0.035 if index < 16 else 0)
        points[index] = head + (right + slide) * side + height * up
    points[:, 1] += BALL - min(points[10, 1], points[13, 1])
    return points


def _turn(angle: float) -> Array:
    """The direction of a limb: 0 hangs down, a quarter of a circle points to the picture's right."""
    return np.array([math.sin(angle), -math.cos(angle)])


def _limb(points: Array, root: int, sign: int, angles: tuple[float, float], lengths: tuple[float, float]) -> None:
    first, second = angles
    points[root + 1] = points[root] + lengths[0] * _turn(sign * first)
    points[root + 2] = points[root + 1] + lengths[1] * _turn(sign * (first + second))


def _capsules(points: Array) -> tuple[Array, Array, Array]:
    """Starts and ends `(n, 2)` and radii `(n,)` of trunk, neck and sticks."""
    hip = (points[8] + points[11]) / 2
    trunk = [(hip, points[1], 0.062), (points[1], points[0], 0.034)]
    sticks = [(points[a], points[b], radius) for a, b, radius in STICKS]
    starts, ends, radii = zip(*trunk, *sticks, strict=True)
    return np.array(starts, "f4"), np.array(ends, "f4"), np.array(radii, "f4")


def _distances(points: Array, x: Array, y: Array) -> Array:
    """Signed distances `(parts, height, width)` to every part: trunk, neck, sticks, balls, head."""
    starts, ends, radii = _capsules(points)
    along = ends - starts
    square = along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1]
    ax, ay = x[None] - starts[:, 0, None, None], y[None] - starts[:, 1, None, None]
    bx, by = along[:, 0, None, None], along[:, 1, None, None]
    part = held((ax * bx + ay * by) / square[:, None, None])
    balls = points[[*RIGHT_BALLS, *LEFT_BALLS]].astype(np.float32)
    head = (points[16] + points[17]) / 2
    return np.concatenate(
        (
            length(ax - part * bx, ay - part * by) - radii[:, None, None],
            length(x[None] - balls[:, 0, None, None], y[None] - balls[:, 1, None, None]) - BALL,
            length((x - np.float32(head[0])) * 1.14, y - np.float32(head[1]))[None] - HEAD_RADIUS,
        )
    )


def silhouette(figure: Figure, x: Array, y: Array) -> Array:
    """Signed distance to the doll's outline, in heights."""
    found: Array = _distances(joints(figure.pose), x, y).min(axis=0)
    return found


def paint_figure(figure: Figure, light: Light, camera: Camera, at: Grid, number: int) -> Patch:
    """The doll; `number` is its class."""
    place = local(figure, REACH, camera, at, MARGIN)
    points = joints(figure.pose)
    parts = _distances(points, place.x, place.y)
    distance = parts.min(axis=0)
    layers = np.empty((5, *distance.shape), np.float32)
    _colour(layers, parts, points, figure.tone, place.x, place.y, place.pixel)
    # Arms lie over the trunk: a crease along them keeps them apart from it.
    arms = parts[ARMS].min(axis=0)
    crease = held(1 - np.abs(arms - 0.012) / 0.014)
    relief = pillow(0.045)(place.x, place.y, distance, place.pixel)
    layers[3] = shade(relief, light)
    layers[4] = np.maximum(outline(distance, place.pixel), 0.8 * crease)
    bulge = relief.bulge * (0.5 * THICKNESS * figure.size)
    return Patch(place.window, layers, coverage(distance, place.pixel), bulge, number)


def _colour(layers: Array, parts: Array, points: Array, tone: float, x: Array, y: Array, pixel: float) -> None:
    wood = toward(PALE, DARK, tone)
    first = len(parts) - 13
    groups = ((parts[first : first + 6].min(axis=0), RIGHT), (parts[first + 6 : first + 12].min(axis=0), LEFT))
    blend(layers, wood, wood, np.zeros_like(parts[0]))
    eyes = np.minimum(*(length(x - np.float32(points[i, 0]), y - np.float32(points[i, 1])) for i in (14, 15))) - 0.016
    for distance, colour in (*groups, (eyes, EYES)):
        cover = coverage(distance, pixel)
        for plane, value in zip(layers, colour, strict=False):
            plane += cover * (value - plane)
