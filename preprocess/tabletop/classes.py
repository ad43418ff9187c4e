"""The classes of the semantic truth, in one place."""

from __future__ import annotations

from colorsys import hsv_to_rgb
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sluice.preprocess.tabletop.shapes import SHAPES

CLASSES = ("wall", "table", *SHAPES, "figure", "plate", "face", "hair", "brow", "eye", "nose", "mouth")
GOLDEN = 0.618


def in_colours(classes: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Class numbers `(height, width)` as RGB uint8 `(height, width, 3)`; none is black, which is silence."""
    colours: NDArray[np.uint8] = _palette()[classes]
    return colours


@cache
def _palette() -> NDArray[np.uint8]:
    """A colour for each class, hues a golden section apart, so that neighbours in CLASSES differ most."""
    colours = [hsv_to_rgb(number * GOLDEN % 1, 0.8, 1.0 if number % 2 else 0.65) for number in range(len(CLASSES))]
    return np.round(255 * np.array(colours)).astype(np.uint8)


@cache
def class_number(name: str) -> int:
    """The number of a class. Raises ValueError for a name that CLASSES lacks."""
    return CLASSES.index(name)
