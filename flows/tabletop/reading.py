"""What a generated picture shows, by the parser and by colours' ranges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.colours import COLOURS
from sluice.preprocess.tabletop.shapes import SHAPES

SMALLEST = 20
"""Pixels that an object must have at least, of 64 x 64, to count as there."""
PURE = 0.25
"""Share of an object that must be of a colour for the object to be."""


@dataclass(frozen=True)
class Reading:
    """The most visible shape and colour of a picture, None where nothing is, and every pixel's class."""

    shape: str | None
    colour: str | None
    classes: Array


def read_all(judges: Judges, pictures: Tensor) -> list[Reading]:
    """Readings of pictures `(batch, 3, height, width)`, values -1 to 1."""
    classes = judges(pictures).classes().argmax(dim=1).numpy()
    return [
        Reading(shape_shown(own), colour_shown(picture, own), own)
        for picture, own in zip(to_bytes(pictures), classes, strict=True)
    ]


def shape_shown(classes: Array) -> str | None:
    """The shape with the most pixels of a parsed picture, None where no shape has enough."""
    counts = {shape: int((classes == class_number(shape)).sum()) for shape in SHAPES}
    shape = max(counts, key=counts.__getitem__)
    return shape if counts[shape] >= SMALLEST else None


def colour_shown(picture: Array, classes: Array, shape: str | None = None) -> str | None:
    """The colour whose HSV range holds the most pixels of what was parsed as a shape, or as this shape.

    `picture` is uint8 RGB. None where there is too little of it.
    """
    inside = np.isin(classes, [class_number(name) for name in ([shape] if shape else SHAPES)])
    if inside.sum() < SMALLEST:
        return None
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    counts = {
        name: sum(int((cv2.inRange(hsv, low, high)[inside] > 0).sum()) for low, high in colour.ranges)
        for name, colour in COLOURS.items()
    }
    colour = max(counts, key=counts.__getitem__)
    return colour if counts[colour] >= PURE * inside.sum() else None


def to_bytes(pictures: Tensor) -> Array:
    """Pictures `(batch, 3, height, width)`, -1 to 1, as `(batch, height, width, 3)` uint8."""
    levels: Array = ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(levels)
