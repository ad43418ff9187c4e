"""A measured number, and the scenes that numbers are measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.preprocess.tabletop.render import Rendered
from sluice.training.tabletop.scenes import HELD_OUT, Scenes

AT_ONCE = 50
SHOWN = Scenes((("tabletop", 0.8), ("faces", 0.2)), HELD_OUT)
SINGLE = Scenes((("one", 1.0),), HELD_OUT)
FACES = Scenes((("faces", 1.0),), HELD_OUT)
FIGURES = Scenes((("figures", 1.0),), HELD_OUT)
PAIRS = Scenes((("two", 1.0),), HELD_OUT)


@dataclass(frozen=True)
class Figure:
    """What it is, on what it was measured, and the `floor` it is held to; `lower` figures are held below theirs."""

    part: str
    name: str
    value: float
    measured_on: str
    floor: float | None = None
    lower: bool = False

    @property
    def reached(self) -> bool:
        """Whether it is on the right side of its floor, if it has one."""
        if self.floor is None:
            return True
        return self.value <= self.floor if self.lower else self.value >= self.floor

    @property
    def held_to(self) -> str:
        """The floor in words, nothing where there is none."""
        return "" if self.floor is None else f"{'<=' if self.lower else '>='} {self.floor:g}"


def rendered(scenes: Scenes, count: int) -> Iterator[list[Rendered]]:
    """The first `count` of some scenes, some at a time."""
    for start in range(0, count, AT_ONCE):
        yield [scenes.render(number) for number in range(start, min(start + AT_ONCE, count))]
