"""Scenes by number: everything about the index-th scene of a seed, drawn from a law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np

from sluice.preprocess.tabletop import figure as figures
from sluice.preprocess.tabletop import plate as plates
from sluice.preprocess.tabletop.grid import NOISE_SHIFTS
from sluice.preprocess.tabletop.law import LAWS, SceneLaw
from sluice.preprocess.tabletop.scene import (
    FOCAL,
    Camera,
    Expression,
    Figure,
    Identity,
    Item,
    Light,
    Plate,
    Pose,
    Scene,
    Table,
    Thing,
    Wall,
)
from sluice.preprocess.tabletop.shapes import SHAPES

# A thing may stand this far down the picture at most, and this far below the edge of the table at least.
LOWEST, EDGE_GAP = 0.44, 0.06
# Things stand at least this far behind each other, in metres: more than any of them bulges.
DEPTH_GAP = 0.07
# How much of a thing's box nearer ones may hide, and how often a place is sought for it.
HIDDEN, TRIES = 0.2, 16

Box = tuple[float, float, float, float]


class _Dice:
    """Numbers of one scene, the same for the same seed and index."""

    def __init__(self, seed: int, index: int) -> None:
        self.rng = np.random.default_rng([seed, index])

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.rng.random())

    def whole(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return low + int(self.rng.random() * (high - low + 1))

    def pick(self, names: Sequence[str]) -> str:
        return names[self.whole(0, len(names) - 1)]

    def shuffled(self, count: int) -> list[int]:
        return [int(i) for i in self.rng.permutation(count)]


def draw_scene(seed: int, index: int, law: SceneLaw = LAWS["tabletop"]) -> Scene:
    """The index-th scene of a seed under a law; both are 0 or more."""
    dice = _Dice(seed, index)
    height, wall, edge = dice.between(0.52, 0.68), dice.between(1.95, 2.25), dice.between(0.0, 0.1)
    camera = Camera(height, wall, edge - FOCAL * height / wall)
    side = -1 if dice.between(0, 1) < 0.5 else 1
    return Scene(
        seed,
        index,
        camera,
        Light(side * dice.between(0.35, 0.8), dice.between(0.3, 0.6)),
        Wall(dice.pick(law.walls), dice.pick(law.tints), dice.between(0.85, 1.3), dice.between(0, 5)),
        Table(dice.pick(law.tables), dice.between(0, 5)),
        dice.pick(law.styles),
        (dice.whole(0, NOISE_SHIFTS - 1), dice.whole(0, NOISE_SHIFTS - 1)),
        _things(dice, law, camera, edge),
    )


@dataclass(frozen=True)
class _Wanted:
    """A thing without a place: its height in metres, half its width in heights, and what makes it at (x, z, size)."""

    size: float
    reach: float
    make: Callable[[float, float, float], Item]


def _things(dice: _Dice, law: SceneLaw, camera: Camera, edge: float) -> tuple[Item, ...]:
    count = dice.whole(*law.objects)
    figure, plate = dice.between(0, 1) < law.figure, dice.between(0, 1) < law.plate
    near, far = camera.depth_at(LOWEST), camera.depth_at(edge + EDGE_GAP)
    depths = _depths(dice, count + figure + plate, law.depth, near, far)
    wanted = _wanted(dice, law, count, figure, plate)
    places = _places(dice, law.spread, camera, depths, wanted)
    return tuple(one.make(x, z, one.size) for one, x, z in zip(wanted, places, depths, strict=True))


def _wanted(dice: _Dice, law: SceneLaw, count: int, figure: bool, plate: bool) -> list[_Wanted]:
    """So many objects, smaller where there are many things in all; then perhaps a figure, perhaps a plate."""
    least, most = law.size
    largest = least + (most - least) * (1 - 0.8 * (count + figure + plate - 1) / 7)
    sizes = [dice.between(least, largest) for _ in range(count)]
    figure_size, plate_size = dice.between(*law.figure_size), dice.between(*law.plate_size)
    wanted = [
        _Wanted(size, SHAPES[shape].reach, partial(_thing, dice, law, shape, colour))
        for size, (shape, colour) in zip(sizes, _looks(dice, law, count), strict=True)
    ]
    if figure:
        wanted.append(_Wanted(figure_size, figures.REACH, partial(_figure, dice)))
    if plate:
        wanted.append(_Wanted(plate_size, plates.REACH, partial(_plate, dice)))
    return wanted


def _depths(dice: _Dice, count: int, part: tuple[float, float], nearest: float, farthest: float) -> list[float]:
    """Distances from the camera within a part of the table, shuffled, no two closer than DEPTH_GAP.

    Where the part is too short for so many, it is lengthened, towards the camera first.
    """
    near, far = (nearest + (farthest - nearest) * share for share in part)
    taken = DEPTH_GAP * (count - 1)
    near = max(nearest, min(near, far - taken))
    room = max(far - near - taken, 0)
    # Squared, so that more of the things stand near, where they look large.
    free = sorted(near + room * dice.between(0, 1) ** 2 for _ in range(count))
    apart = [depth + DEPTH_GAP * i for i, depth in enumerate(free)]
    return [apart[i] for i in dice.shuffled(count)]


def _looks(dice: _Dice, law: SceneLaw, count: int) -> list[tuple[str, str]]:
    """Shapes and colours; no shape comes twice before every shape came once."""
    shapes: list[str] = []
    while len(shapes) < count:
        shapes += [law.shapes[i] for i in dice.shuffled(len(law.shapes))]
    return [(shape, dice.pick(law.colours)) for shape in shapes[:count]]


def _thing(dice: _Dice, law: SceneLaw, shape: str, colour: str, x: float, z: float, size: float) -> Thing:
    tilt = dice.between(-0.11, 0.11) if SHAPES[shape].leans else 0.0
    # A cube shows the side that the camera can see.
    mirror = (-1 if x > 0 else 1) if shape == "cube" else 1 - 2 * dice.whole(0, 1)
    return Thing(shape, colour, dice.pick(law.textures), x, z, size, tilt, mirror, dice.between(0.94, 1.0))


def _places(
    dice: _Dice, spread: float, camera: Camera, depths: Sequence[float], wanted: Sequence[_Wanted]
) -> list[float]:
    """How far right of the middle things stand, in metres: in the picture, and not too much behind each other."""
    taken: list[Box] = []
    places = [0.0] * len(depths)
    for i in sorted(range(len(depths)), key=lambda i: depths[i]):
        scale = camera.scale(depths[i])
        high = wanted[i].size * scale
        half = wanted[i].reach * high
        bottom = camera.place(0, 0, depths[i])[1]
        slack = max(0.48 - half, 0) * spread
        tries = []
        for _ in range(TRIES):
            across = dice.between(-slack, slack)
            box = (across - half, bottom - high, across + half, bottom)
            hidden = sum(_shared(box, other) for other in taken) / (2 * half * high)
            tries.append((hidden, across, box))
            if hidden <= HIDDEN:
                break
        _, across, box = min(tries)
        taken.append(box)
        places[i] = across / scale
    return places


def _shared(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0) * max(high, 0)


def _figure(dice: _Dice, x: float, z: float, size: float) -> Figure:
    return Figure(x, z, size, _pose(dice), dice.between(0, 1))


def _plate(dice: _Dice, x: float, z: float, size: float) -> Plate:
    identity = Identity(**{field.name: dice.between(0, 1) for field in fields(Identity)})
    return Plate(x, z, size, identity, _expression(dice))


def _pose(dice: _Dice) -> Pose:
    """Arms hang, point or rise, each for itself; legs stand or stride."""
    return Pose(
        lean=dice.between(-0.12, 0.12),
        head=dice.between(-1, 1),
        right_arm=_arm(dice),
        left_arm=_arm(dice),
        right_leg=(dice.between(0.02, 0.42), dice.between(-0.35, 0.1)),
        left_leg=(dice.between(0.02, 0.42), dice.between(-0.35, 0.1)),
    )


def _arm(dice: _Dice) -> tuple[float, float]:
    if dice.between(0, 1) < 0.5:
        return dice.between(0.15, 1.2), dice.between(-0.7, 0.9)
    return dice.between(1.2, 2.5), dice.between(-0.2, 0.7)


def _expression(dice: _Dice) -> Expression:
    return Expression(
        smile=dice.between(-1, 1),
        turn=dice.between(-1, 1),
        eyes=dice.between(0.1, 1),
        mouth=max(0.0, dice.between(-0.8, 1)),
        brows=dice.between(0, 1),
    )
