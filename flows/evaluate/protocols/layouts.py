"""Two cases' controls in one picture, each silent where the other speaks: three layouts (MIControlNet, Sec. 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sluice.flows.evaluate.cases import AnyCase, Two, kept_image
from sluice.preprocess.record import Array

SMALLEST_PART = 5 / 8
"""Of the central part of a condition, when resized: its side as a share of half a picture's."""


@dataclass(frozen=True)
class Spoken:
    """What a control of some kind says, `(height, width, 3)` levels 0 to 1, and where, bool `(height, width)`.

    `picture` is its case's own, placed as it is.
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


Layout = Callable[[Two, tuple[str, str]], tuple[Spoken, Spoken]]


def half(case: AnyCase | Two) -> Array:
    """The left half and the right in turn, bool `(height, width)`."""
    left = np.zeros((case.size, case.size), bool)
    left[:, : case.size // 2] = True
    return left if case.number % 2 == 0 else ~left


def part(size: int) -> slice:
    """The central rows, or columns, of a condition."""
    return slice(size // 4, size * 3 // 4)


def halves(case: Two, pair: tuple[str, str]) -> tuple[Spoken, Spoken]:
    """One rules the left half, the other the right, in turn."""
    return _whole(case, pair, half(case))


def centre(case: Two, pair: tuple[str, str]) -> tuple[Spoken, Spoken]:
    """One rules the centre, two fifths of the picture, the other what is around it, in turn."""
    inside = np.zeros((case.size, case.size), bool)
    middle = slice(case.size * 3 // 16, case.size * 13 // 16)
    inside[middle, middle] = True
    return _whole(case, pair, inside if case.number % 2 == 0 else ~inside)


def parts(case: Two, pair: tuple[str, str]) -> tuple[Spoken, Spoken]:
    """The central part of each, resized at random and put left and right; the rest is silent."""
    middle = case.size // 2
    dice = np.random.default_rng([case.number, middle])
    left, right = (0, middle) if case.number % 2 == 0 else (middle, 0)
    return _part(pair[0], case.one, dice, left), _part(pair[1], case.other, dice, right)


LAYOUTS: dict[str, Layout] = {"parts": parts, "halves": halves, "centre": centre}


def _whole(case: Two, pair: tuple[str, str], speaks: Array) -> tuple[Spoken, Spoken]:
    one, two = case.one, case.other
    return (
        Spoken(pair[0], one.levels(pair[0]), speaks, one.levels("image")),
        Spoken(pair[1], two.levels(pair[1]), ~speaks, two.levels("image")),
    )


def _part(control: str, of: AnyCase, dice: np.random.Generator, column: int) -> Spoken:
    size, widest, own = of.size, of.size // 2, part(of.size)
    side = int(dice.integers(int(widest * SMALLEST_PART), widest, endpoint=True))
    top = int(dice.integers(0, size - side, endpoint=True))
    left = column + int(dice.integers(0, widest - side, endpoint=True))
    speaks, rows, columns = np.zeros((size, size), bool), slice(top, top + side), slice(left, left + side)
    speaks[rows, columns] = True

    def placed(field: str) -> Array:
        levels = np.zeros((size, size, 3), np.float32)
        resized = cv2.resize(of.levels(field)[own, own], (side, side), interpolation=cv2.INTER_AREA)
        levels[rows, columns] = resized.clip(0, 1)  # means of ones may come to more by rounding
        return levels

    return Spoken(control, placed(control), speaks, placed("image"))
