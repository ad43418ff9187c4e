"""Cases of several instances, each asked for in its box, and what sees them in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count as numbers
from itertools import islice
from typing import Any, Protocol

from torch import Tensor

from sluice.flows.evaluate.cases import SIZE, Case, Prompted
from sluice.inference.metrics.instances import Detect, Instance, Segment
from sluice.inference.metrics.judged import judged
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.scene import Thing
from sluice.training.tabletop.seen import phrase_of

LEVELS = (2, 3, 4)
"""Objects of a scene: a caption names no more."""


class Crowd(Prompted, Protocol):
    """A case of instances, boxes in pixels, and the `things` that a job's box model is told."""

    @property
    def instances(self) -> Sequence[Instance]: ...

    @property
    def things(self) -> Sequence[Mapping[str, Any]]: ...


class Crowds(Protocol):
    """Where cases come from; `pictured` where there is a true picture of each."""

    @property
    def pictured(self) -> bool: ...

    def cases(self, count: int) -> list[Any]:
        """Each a Crowd: so many in all, or as many as there are, the first ones of each number of instances."""
        ...

    def sees(self, picture: Tensor) -> tuple[Detect, Segment]:
        """In a picture `(3, height, width)`, values -1 to 1."""
        ...


@dataclass(frozen=True)
class CrowdedScene(Case):
    """A scene of tabletop, of objects that are all in the picture."""

    @property
    def instances(self) -> list[Instance]:
        return [
            Instance(thing.shape, thing.colour, tuple(box))
            for thing, box in zip(self.scene.things, self.truth.boxes.tolist(), strict=True)
            if isinstance(thing, Thing)
        ]

    @property
    def things(self) -> list[dict[str, Any]]:
        """Without colours: these are the caption's to tell."""
        return [
            {"phrase": phrase_of(thing), "box": [edge / SIZE for edge in box]}
            for thing, box in zip(self.scene.things, self.truth.boxes.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class CrowdedScenes:
    """Of two, three and four objects, seen by the judges."""

    judges: Judges
    pictured: bool = True

    def cases(self, count: int) -> list[CrowdedScene]:
        return [case for level, own in shares(count, LEVELS).items() for case in islice(of_level(level), own)]

    def sees(self, picture: Tensor) -> tuple[Detect, Segment]:
        return judged(self.judges, picture)


def shares(count: int, levels: Sequence[int]) -> dict[int, int]:
    """How many of each level, the same number but for what is left."""
    return {level: len(range(turn, count, len(levels))) for turn, level in enumerate(levels)}


def of_level(level: int) -> Iterator[CrowdedScene]:
    """Scenes of so many objects, without end."""
    for number in numbers():
        case = CrowdedScene(number, "objects")
        if len(case.scene.things) == level and all(right > left for left, _, right, _ in case.truth.boxes):
            yield case
