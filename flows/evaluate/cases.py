"""What protocols are measured on, cases: a prompt, images for jobs; and of held-out scenes the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sluice.flows.compose.tree.images import pixels_of
from sluice.flows.compose.tree.nodes import image_of
from sluice.infra.whole import write_whole
from sluice.preprocess.record import Array, encode_png
from sluice.preprocess.tabletop import LAWS, Rendered, Scene, caption, draw_scene, render
from sluice.training.draws import Draws
from sluice.training.tabletop.scenes import HELD_OUT

SIZE = 64
CONTROLS = {"canny": "two", "hed": "two", "depth": "two", "pose": "figures"}
"""With the law of the scenes that each is measured on."""
REMEMBERED = 512
"""Scenes, and fields of them: those of a comparison."""
APART = 10_000
"""Scenes between a case and another one of it."""


class Prompted(Protocol):
    """What pictures are made of: their prompt, and how large they are, in pixels a side; `number` is the case's own."""

    @property
    def number(self) -> int: ...

    @property
    def prompt(self) -> str: ...

    @property
    def size(self) -> int: ...


class AnyCase(Prompted, Protocol):
    """A case that has images, whatever world it is of."""

    @property
    def people(self) -> Array:
        """The 18 points of each figure in it, `(people, 18, 3)`: x and y in pixels, and above 0 where seen."""
        ...

    def image(self, field: str) -> dict[str, Any]:
        """A field of it, as jobs name it."""
        ...

    def levels(self, field: str) -> Array:
        """The same as `(height, width, 3)`, values 0 to 1."""
        ...


@dataclass(frozen=True)
class Case:
    """A scene by its number and law, of the seed that nothing was trained on; its caption, or `words` instead."""

    number: int
    law: str
    words: str | None = None

    @property
    def scene(self) -> Scene:
        return _scene(self.number, self.law)

    @property
    def prompt(self) -> str:
        return caption(self.scene) if self.words is None else self.words

    @property
    def size(self) -> int:
        return SIZE

    @property
    def truth(self) -> Rendered:
        return _truth(self.number, self.law)

    @property
    def people(self) -> Array:
        return self.truth.keypoints

    def image(self, field: str) -> dict[str, Any]:
        """A field of it, as jobs name it."""
        return {"drawn": {"scene": self.number, "law": self.law, "seed": HELD_OUT, "field": field}}

    def levels(self, field: str) -> Array:
        """The same drawn, `(height, width, 3)`, values 0 to 1."""
        return _levels(self.number, self.law, field)


# Every figure of every method asks for what its cases show, and nothing changes it.
@lru_cache(REMEMBERED)
def _scene(number: int, law: str) -> Scene:
    return draw_scene(HELD_OUT, number, LAWS[law])


@lru_cache(REMEMBERED)
def _truth(number: int, law: str) -> Rendered:
    return render(_scene(number, law), SIZE)


@lru_cache(REMEMBERED)
def _levels(number: int, law: str, field: str) -> Array:
    return pixels_of(image_of(Case(number, law).image(field)), Path(), SIZE)


@dataclass(frozen=True)
class Two:
    """Two cases in one picture; `number` is the pair's own among others."""

    number: int
    one: AnyCase
    other: AnyCase

    @property
    def prompt(self) -> str:
        return f"{self.one.prompt}, {self.other.prompt}"

    @property
    def size(self) -> int:
        return self.one.size


def other(case: Case, law: str | None = None) -> Case:
    """Another scene of the same law, or of one."""
    return Case(case.number + APART, law or case.law)


def cases(law: str, count: int) -> list[Case]:
    """The first of a law."""
    return [Case(number, law) for number in range(count)]


def shown(some: Sequence[AnyCase], field: str) -> Tensor:
    """A field of cases, `(batch, 3, height, width)`, values 0 to 1."""
    return torch.from_numpy(np.stack([case.levels(field) for case in some])).permute(0, 3, 1, 2)


def kept_image(levels: Array, place: Path) -> str:
    """An image that a protocol draws, levels 0 to 1, as a file in `place` that jobs can name: by its content."""
    pixels = np.rint(levels * 255).astype(np.uint8)
    name = f"{hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:16]}.png"
    if not (place / name).exists():
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / name, encode_png(pixels))
    return name


def draws_of(some: list[Case], seed: int) -> Draws:
    """Of each case its own, whatever others there are."""
    return Draws(seed, [case.number for case in some], [case.law for case in some])
