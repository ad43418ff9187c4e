"""The plate: a ceramic disc with a face, whose look an identity fixes and whose features an expression moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.colours import RGB, along, rgbs, toward
from sluice.preprocess.tabletop.grid import Array, Grid, coverage, held, smooth
from sluice.preprocess.tabletop.light import shade
from sluice.preprocess.tabletop.patch import THICKNESS, Patch, blend, local, outline
from sluice.preprocess.tabletop.relief import Relief, length
from sluice.preprocess.tabletop.scene import Camera, Expression, Identity, Light, Plate

REACH = 0.5
FOOT = 0.24
LANDMARKS = ("right eye", "left eye", "nose", "right mouth corner", "left mouth corner")

# An identity's 0 to 1 is a place along these.
SKINS = rgbs("fadbc2 edbd94 cc946b 996647 664230")
HAIRS = rgbs("211c1f 5c3824 a85729 e6b85c ccc9c7 5c75a8")
IRISES = rgbs("332117 734d24 47804d 4275b3")
GLAZES = rgbs("5c7aad 80a8a3 dbbd85 c79485 998ab3")
CERAMIC: RGB = (0.96, 0.95, 0.92)
LIPS: RGB = (0.72, 0.27, 0.27)
MOUTH: RGB = (0.34, 0.10, 0.12)


@dataclass(frozen=True)
class Features:
    """Where an identity's features lie under an expression; the plate's middle is the origin, its radius 1, y up."""

    head: float
    face: tuple[float, float]
    eyes: tuple[tuple[float, float], tuple[float, float]]
    eye: tuple[float, float]
    nose: tuple[float, float]
    nose_half: float
    mouth: tuple[float, float]
    mouth_half: tuple[float, float]
    curve: float
    opening: float
    lips: float
    brow_up: float


def _range(low: float, high: float, value: float) -> float:
    return low + (high - low) * value


def features(identity: Identity, expression: Expression) -> Features:
    """A turned head's features slide over it, and the ones on its far side draw together."""
    wide, turn = _range(0.46, 0.62, identity.width), expression.turn
    head = 0.04 * turn
    middle = head + 0.17 * turn
    apart = _range(0.19, 0.29, identity.eye_spacing)
    near, far = 1 + 0.1 * abs(turn), 1 - 0.22 * abs(turn)
    right, left = (near, far) if turn > 0 else (far, near)
    eye_y = 0.13
    big = _range(0.075, 0.125, identity.eye_size)
    half = _range(0.15, 0.26, identity.mouth_width) * (1 + 0.12 * expression.smile)
    nose_x = head + 0.23 * turn
    return Features(
        head=head,
        face=(wide, 0.66),
        eyes=((middle - apart * right, eye_y), (middle + apart * left, eye_y)),
        eye=(big * 1.15, big * _range(0.18, 1.0, expression.eyes)),
        nose=(nose_x, _range(-0.04, -0.16, identity.nose)),
        nose_half=_range(0.04, 0.09, identity.nose),
        mouth=(middle, -0.36),
        mouth_half=(half * right, half * left),
        curve=0.13 * expression.smile,
        opening=0.13 * expression.mouth,
        lips=_range(0.022, 0.05, identity.lips),
        brow_up=eye_y + big + _range(0.06, 0.17, expression.brows),
    )


def landmarks(plate: Plate) -> Array:
    """Eyes, nose and mouth corners `(5, 2)` of a plate 1 high, x right and y up from its foot.

    The face's own right is the picture's left.
    """
    f = features(plate.identity, plate.expression)
    x, y = f.mouth
    corner = y + f.curve * 0.6
    points = np.array([*f.eyes, f.nose, (x - f.mouth_half[0], corner), (x + f.mouth_half[1], corner)])
    return points * 0.5 + (0, 0.5)


def silhouette(_plate: Plate, x: Array, y: Array) -> Array:
    """Signed distance to the plate's outline, in heights."""
    return length(x, y - 0.5) - 0.5


class _Painter:
    """Lays one feature over another, with its class where it covers half a pixel or more."""

    def __init__(self, x: Array, y: Array, pixel: float) -> None:
        self.x, self.y, self.pixel = x, y, pixel
        shape = np.broadcast_shapes(x.shape, y.shape)
        self.layers = np.empty((5, *shape), np.float32)
        self.classes = np.full(shape, class_number("plate"), np.uint8)
        blend(self.layers, CERAMIC, CERAMIC, np.zeros(shape, np.float32))

    def lay(self, cover: Array, colour: RGB, name: str = "") -> None:
        for plane, value in zip(self.layers, colour, strict=False):
            plane += cover * (np.float32(value) - plane)
        if name:
            self.classes[cover >= 0.5] = class_number(name)

    def ellipse(self, middle: tuple[float, float], half: tuple[float, float]) -> Array:
        """Coverage of an ellipse."""
        u, v = (self.x - np.float32(middle[0])) / half[0], (self.y - np.float32(middle[1])) / half[1]
        return coverage((length(u, v) - 1) * min(half), self.pixel)


def paint_plate(plate: Plate, light: Light, camera: Camera, at: Grid) -> Patch:
    """The plate with its face; its classes are plate, face, hair, brow, eye, nose and mouth."""
    place = local(plate, REACH, camera, at)
    x, y, pixel = place.x * 2, place.y * 2 - 1, place.pixel * 2
    away = length(x, y)
    painter = _Painter(x, y, pixel)
    glaze = along(GLAZES, plate.identity.plate)
    painter.lay(coverage(np.abs(away - 0.9) - 0.035, pixel), glaze)
    painter.lay(coverage(away - 0.8, pixel), toward(glaze, CERAMIC, 0.62))
    f = features(plate.identity, plate.expression)
    inside = coverage(away - 0.8, pixel)
    skull = _paint_head(painter, plate.identity, f, inside)
    _paint_face(painter, plate.identity, f, skull)
    # A shallow bowl: its rim turns outwards, its well inwards.
    slope = np.where(away > 0.8, np.float32(0.35), -0.5 * smooth(held((away - 0.62) / 0.18)))
    relief = Relief(x * slope, y * slope, held(1.1 - 0.5 * away))
    painter.layers[3] = shade(relief, light, 0.8, 0.2)
    distance = (away - 1) / 2
    painter.layers[4] = outline(distance, place.pixel)
    bulge = relief.bulge * (0.4 * THICKNESS * plate.size)
    return Patch(place.window, painter.layers, coverage(distance, place.pixel), bulge, painter.classes)


def _paint_head(painter: _Painter, identity: Identity, f: Features, inside: Array) -> Array:
    """Hair behind, the face and a fringe; returns the face's coverage."""
    x, y = painter.x, painter.y
    hair, skin = along(HAIRS, identity.hair), along(SKINS, identity.skin)
    wide, high = f.face
    volume = _range(0.04, 0.16, identity.volume)
    behind = painter.ellipse((f.head, 0.08), (wide + volume, high - 0.06 + volume / 2))
    painter.lay(np.minimum(behind, inside), hair, "hair")
    u, v = (x - np.float32(f.head)) / wide, (y + 0.05) / high
    u2, v2 = u * u, v * v
    # The more of the product, the more the face fills its corners.
    fill = _range(0.0, 0.5, identity.jaw)
    outside = (np.sqrt(u2 + v2 - fill * u2 * v2 / (1 + 0.3 * u2 * v2)) - 1) * wide
    skull = coverage(outside, painter.pixel)
    painter.lay(skull, skin, "face")
    low = _range(0.52, 0.3, identity.fringe)
    parting = (identity.volume - 0.5) * 0.8
    beside = x - np.float32(f.head + parting)
    edge = y - low + 0.45 * beside * beside
    # A little over the forehead's edge, else a line of skin would stay there.
    fringe = np.maximum(outside - painter.pixel, -edge)
    painter.lay(coverage(fringe, painter.pixel), hair, "hair")
    return skull


def _paint_face(painter: _Painter, identity: Identity, f: Features, skull: Array) -> None:
    skin, iris = along(SKINS, identity.skin), along(IRISES, identity.iris)
    deep = toward(skin, (0.26, 0.06, 0.05), 0.4)
    for ex, _ in f.eyes:
        painter.lay(0.3 * painter.ellipse((ex, -0.16), (0.12, 0.09)), toward(skin, (0.90, 0.36, 0.32), 0.6))
    painter.lay(np.minimum(painter.ellipse(f.nose, (0.055, f.nose_half)), skull), deep, "nose")
    wide, high = f.eye
    for side, (ex, ey) in zip((-1, 1), f.eyes, strict=True):
        painter.lay(painter.ellipse((ex, ey + 0.012), (wide + 0.018, high + 0.018)), deep, "eye")
        white = painter.ellipse((ex, ey), (wide, high))
        painter.lay(white, (0.98, 0.98, 0.97), "eye")
        painter.lay(np.minimum(white, painter.ellipse((ex, ey), (wide * 0.62, wide * 0.62))), iris)
        painter.lay(np.minimum(white, painter.ellipse((ex, ey), (wide * 0.3, wide * 0.3))), (0.05, 0.04, 0.05))
        _paint_brow(painter, identity, f, side, ex)
    _paint_mouth(painter, f)


def _paint_brow(painter: _Painter, identity: Identity, f: Features, side: int, ex: float) -> None:
    u = (painter.x - np.float32(ex)) * side
    slant, thick = _range(-0.35, 0.35, identity.brow_slant), _range(0.018, 0.05, identity.brow_weight)
    arch = painter.y - f.brow_up - slant * u + 2.2 * u * u
    cover = coverage(np.maximum(np.abs(arch) - thick, np.abs(u) - 0.15), painter.pixel)
    painter.lay(cover, toward(along(HAIRS, identity.hair), (0.1, 0.08, 0.08), 0.45), "brow")


def _paint_mouth(painter: _Painter, f: Features) -> None:
    """Lips along a parabola through both corners, open in the middle."""
    x, y = f.mouth
    beside = painter.x - np.float32(x)
    u = np.where(beside < 0, beside / f.mouth_half[0], beside / f.mouth_half[1])
    bend = u * u
    above = painter.y - y - f.curve * (1.6 * bend - 1)
    room = np.maximum(1 - bend, 0)
    ends = np.maximum(np.abs(u) - 1, 0) * min(f.mouth_half)
    half = (f.opening + f.lips) * room + 0.4 * f.lips
    painter.lay(coverage(np.maximum(np.abs(above) - half, ends - 0.001), painter.pixel), LIPS, "mouth")
    if f.opening > 0.015:
        inner = coverage(np.abs(above) - f.opening * room, painter.pixel) * (np.abs(u) < 0.96)
        painter.lay(inner, MOUTH, "mouth")
