"""What a scene is: a camera, a light, a wall, a table and the things on it. Plain values, which JSON can hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

FOCAL = 1.5


@dataclass(frozen=True)
class Camera:
    """A pinhole that looks level at the wall, its picture shifted down so that uprights stay upright.

    `height` above the table and distance of the `wall` in metres; `horizon` is where eye level lies, in shorter sides
    of the picture below its middle. The focal length is 1.5 shorter sides.
    """

    height: float
    wall: float
    horizon: float

    def place(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Where a point (metres: right of the middle, above the table, from the camera) is seen, right and down."""
        return FOCAL * x / z, self.horizon + FOCAL * (self.height - y) / z

    def depth_at(self, down: float) -> float:
        """How far the table is where it is seen so far down the picture."""
        return FOCAL * self.height / (down - self.horizon)

    def scale(self, z: float) -> float:
        """How large a metre looks, in shorter sides."""
        return FOCAL / z


@dataclass(frozen=True)
class Light:
    """Where light falls to, for every metre down: `across` to the right and `back`, away from the camera."""

    across: float
    back: float


@dataclass(frozen=True)
class Wall:
    """`pattern` of WALLS, `tint` of TINTS; `scale` of the pattern (1 is usual) and a shift of it in metres."""

    pattern: str
    tint: str
    scale: float
    shift: float


@dataclass(frozen=True)
class Table:
    """`material` of MATERIALS and a shift of its grain in metres."""

    material: str
    shift: float


@dataclass(frozen=True)
class Thing:
    """An object: it stands at (x, z) in metres and is `size` metres high.

    `tilt` is the tangent of half the angle it leans by, `mirror` -1 or 1, `tone` brightens or darkens its colour.
    """

    shape: str
    colour: str
    texture: str
    x: float
    z: float
    size: float
    tilt: float
    mirror: int
    tone: float


@dataclass(frozen=True)
class Pose:
    """Angles in radians: of limbs from hanging straight down, outwards; of elbows and knees relative to their limbs."""

    lean: float
    head: float
    right_arm: tuple[float, float]
    left_arm: tuple[float, float]
    right_leg: tuple[float, float]
    left_leg: tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """A wooden stick-and-ball figure that faces the camera; `tone` 0 to 1 is how dark its wood is."""

    x: float
    z: float
    size: float
    pose: Pose
    tone: float


@dataclass(frozen=True)
class Identity:
    """What makes a face one and the same, every number in 0 to 1."""

    width: float
    jaw: float
    skin: float
    eye_size: float
    eye_spacing: float
    iris: float
    brow_weight: float
    brow_slant: float
    nose: float
    mouth_width: float
    lips: float
    hair: float
    fringe: float
    volume: float
    plate: float

    def code(self) -> tuple[float, ...]:
        """The numbers in their order."""
        return tuple(asdict(self).values())


@dataclass(frozen=True)
class Expression:
    """What a face does: `smile` and `turn` (to the picture's right) in -1 to 1, `eyes`, `mouth` open and `brows` lifted
    in 0 to 1."""

    smile: float
    turn: float
    eyes: float
    mouth: float
    brows: float


@dataclass(frozen=True)
class Plate:
    """A round plate with a face on it, set up on its rim."""

    x: float
    z: float
    size: float
    identity: Identity
    expression: Expression


Item = Thing | Figure | Plate


@dataclass(frozen=True)
class Scene:
    """Everything that a picture of it depends on. `things` has objects, figure and plate in no order of depth."""

    seed: int
    index: int
    camera: Camera
    light: Light
    wall: Wall
    table: Table
    style: str
    paper: tuple[int, int]
    things: tuple[Item, ...] = field(default=())

    def without(self, k: int) -> Scene:
        """The same scene, its k-th thing removed. Raises IndexError."""
        if not 0 <= k < len(self.things):
            raise IndexError(f"the scene has {len(self.things)} things, counted from 0; there is no number {k}")
        return replace(self, things=self.things[:k] + self.things[k + 1 :])

    def nearest(self) -> int | None:
        """The thing that nothing stands before; None on an empty table."""
        return min(range(len(self.things)), key=lambda k: self.things[k].z, default=None)

    def far_to_near(self) -> list[int]:
        """The things' numbers in the order in which they are painted."""
        return sorted(range(len(self.things)), key=lambda k: -self.things[k].z)

    def to_json(self) -> dict[str, Any]:
        """As plain values; each thing says of what `kind` it is."""
        values = asdict(self)
        for thing, value in zip(self.things, values["things"], strict=True):
            value["kind"] = type(thing).__name__.lower()
        return values
