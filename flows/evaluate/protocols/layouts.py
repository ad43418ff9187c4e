"""Two scenes' controls in one picture, each silent where the other speaks: three layouts (MIControlNet, Sec. 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sluice.flows.evaluate.cases import CONTROLS, SIZE, Case, kept_image, other
from sluice.preprocess.record import Array

HALF = SIZE // 2
CENTRE = slice(SIZE * 3 // 16, SIZE * 13 // 16)
"""Two fifths of a picture."""
PART = slice(SIZE // 4, SIZE * 3 // 4)
SIDES = (HALF * 5 // 8, HALF)
"""Of the central part of a condition, when resized."""


@dataclass(frozen=True)
class Spoken:
    """What a control of some kind says, `(height, width, 3)` levels 0 to 1, and where, bool `(height, width)`.

    `picture` is its scene's own, placed as it is.
    """

    control: str
    levels: Array
    speaks: Array
    picture: Array

    def told(self, place: Path) -> dict[str, Any]:
        """As methods are told of it; its images are kept in `place`."""
        return {
            "control": self.control,
            "image": kept_image(self.levels, place),
            "speaks": kept_image(self.speaks.astype(np.float32), place),
        }


Layout = Callable[[Case, tuple[str, str]], tuple[Spoken, Spoken]]


def sources(case: Case, pair: tuple[str, str]) -> tuple[Case, Case]:
    """The scenes of a case's two conditions, each of the law that its control is measured on."""
    return Case(case.number, CONTROLS[pair[0]]), other(case, CONTROLS[pair[1]])


def half(case: Case) -> Array:
    """The left half and the right in turn, bool `(height, width)`."""
    left = np.zeros((SIZE, SIZE), bool)
    left[:, :HALF] = True
    return left if case.number % 2 == 0 else ~left


def halves(case: Case, pair: tuple[str, str]) -> tuple[Spoken, Spoken]:
    """One rules the left half, the other the right, in turn."""
    return _whole(case, pair, half(case))


def centre(case: Case, pair: tuple[str, str]) -> tuple[Spoken, Spoken]:
    """One rules the centre, the other what is around it, in turn."""
    inside = np.zeros((SIZE, SIZE), bool)
    inside[CENTRE, CENTRE] = True
    return _whole(case, pair, inside if case.number % 2 == 0 else ~inside)


def parts(case: Case, pair: tuple[str, str]) -> tuple[Spoken, Spoken]:
    """The central part of each, resized at random and put left and right; the rest is silent."""
    dice = np.random.default_rng([case.number, HALF])
    columns = (0, HALF) if case.number % 2 == 0 else (HALF, 0)
    first, second = (
        _part(control, of, dice, column) for control, of, column in zip(pair, sources(case, pair), columns, strict=True)
    )
    return first, second


LAYOUTS: dict[str, Layout] = {"parts": parts, "halves": halves, "centre": centre}


def _whole(case: Case, pair: tuple[str, str], speaks: Array) -> tuple[Spoken, Spoken]:
    one, two = sources(case, pair)
    return (
        Spoken(pair[0], one.levels(pair[0]), speaks, one.levels("image")),
        Spoken(pair[1], two.levels(pair[1]), ~speaks, two.levels("image")),
    )


def _part(control: str, of: Case, dice: np.random.Generator, column: int) -> Spoken:
    side = int(dice.integers(*SIDES, endpoint=True))
    top = int(dice.integers(0, SIZE - side, endpoint=True))
    left = column + int(dice.integers(0, HALF - side, endpoint=True))
    speaks, rows, columns = np.zeros((SIZE, SIZE), bool), slice(top, top + side), slice(left, left + side)
    speaks[rows, columns] = True

    def placed(field: str) -> Array:
        levels = np.zeros((SIZE, SIZE, 3), np.float32)
        levels[rows, columns] = cv2.resize(of.levels(field)[PART, PART], (side, side), interpolation=cv2.INTER_AREA)
        return levels

    return Spoken(control, placed(control), speaks, placed("image"))
