"""The classes of the semantic truth, in one place."""

from __future__ import annotations

from functools import cache

from sluice.preprocess.tabletop.shapes import SHAPES

CLASSES = ("wall", "table", *SHAPES, "figure", "plate", "face", "hair", "brow", "eye", "nose", "mouth")


@cache
def class_number(name: str) -> int:
    """The number of a class. Raises ValueError for a name that CLASSES lacks."""
    return CLASSES.index(name)
