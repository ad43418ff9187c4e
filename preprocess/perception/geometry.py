"""Where a record's pixels come from: orientation, resize and crop, kept so that label maps can follow the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from sluice.preprocess.record import Array

ASPECT_TOLERANCE = 0.02

# EXIF's eight orientations: what turns the stored pixels upright.
_UPRIGHT: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


@dataclass(frozen=True)
class Geometry:
    """How stored pixels become a record's: turned upright (EXIF, 1 to 8), resized, then cropped.

    Sizes are (width, height) in pixels; `original` is as stored, `resized` upright; `crop` is (x, y, width, height) in
    the resized image.
    """

    orientation: int
    original: tuple[int, int]
    resized: tuple[int, int]
    crop: tuple[int, int, int, int]

    @property
    def sideways(self) -> bool:
        """Whether turning upright swaps width and height."""
        return self.orientation >= 5

    @property
    def upright(self) -> tuple[int, int]:
        """The original's size once upright."""
        width, height = self.original
        return (height, width) if self.sideways else (width, height)

    @property
    def stored(self) -> tuple[int, int]:
        """The resized image's size, in the stored orientation: the least a decoder has to give."""
        width, height = self.resized
        return (height, width) if self.sideways else (width, height)

    def to_json(self) -> dict[str, Any]:
        """As it is kept in a record's `json`."""
        return {
            "orientation": self.orientation,
            "original": list(self.original),
            "resized": list(self.resized),
            "crop": list(self.crop),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Geometry:
        """From a record's `json["geometry"]`."""
        x, y, width, height = value["crop"]
        return cls(value["orientation"], tuple(value["original"]), tuple(value["resized"]), (x, y, width, height))


def plan_geometry(
    original: tuple[int, int],
    size: int,
    crop: Literal["center", "none"] = "center",
    orientation: int = 1,
    multiple_of: int = 8,
) -> Geometry:
    """Shorter side to `size`; `center` crops a square, `none` only down to multiples of `multiple_of` pixels.

    `original` is (width, height) as stored.
    """
    whole = Geometry(orientation, original, original, (0, 0, *original))
    width, height = whole.upright
    scale = size / min(width, height)
    resized = (max(size, round(width * scale)), max(size, round(height * scale)))
    if crop == "center":
        kept = (size, size)
    else:
        kept = (resized[0] // multiple_of * multiple_of, resized[1] // multiple_of * multiple_of)
    x, y = (resized[0] - kept[0]) // 2, (resized[1] - kept[1]) // 2
    return Geometry(orientation, original, resized, (x, y, *kept))


def upright(image: Array, orientation: int) -> Array:
    """An image turned as EXIF's orientation, 1 to 8, says."""
    return _UPRIGHT[orientation](image)


def apply_to_image(image: Array, geometry: Geometry) -> Array:
    """An image (or a continuous map) in its stored orientation, at any scale, as the record has it.

    Area averaging where it shrinks, bicubic where it grows. `image` is (height, width[, channels]), uint8 or uint16.
    """
    upright = _upright(image, geometry)
    if (upright.shape[1], upright.shape[0]) != geometry.resized:
        shrinks = upright.shape[1] > geometry.resized[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        upright = cv2.resize(np.ascontiguousarray(upright), geometry.resized, interpolation=how)
    x, y, width, height = geometry.crop
    return np.ascontiguousarray(upright[y : y + height, x : x + width])


def apply_to_labels(labels: Array, geometry: Geometry) -> Array:
    """A label map of the image, at any scale, as the record has it: the nearest label, never a mixture.

    A map that is already upright (its aspect says so) is not turned again. Raises ValueError where the aspect is
    neither that of the stored nor of the upright image.
    """
    upright = _upright(labels, geometry)
    x, y, width, height = geometry.crop
    columns = _nearest(x, width, geometry.resized[0], upright.shape[1])
    rows = _nearest(y, height, geometry.resized[1], upright.shape[0])
    return np.ascontiguousarray(upright[rows][:, columns])


def apply_to_points(points: Array, geometry: Geometry) -> Array:
    """Points `(n, 2)`, x and y in pixels of the stored image (the first pixel's centre is 0), in the record's pixels.

    They may come to lie outside of it.
    """
    width, height = geometry.original
    x, y = points[:, 0], points[:, 1]
    back_x, back_y = width - 1 - x, height - 1 - y
    upright = {
        1: (x, y),
        2: (back_x, y),
        3: (back_x, back_y),
        4: (x, back_y),
        5: (y, x),
        6: (back_y, x),
        7: (back_y, back_x),
        8: (y, back_x),
    }[geometry.orientation]
    scale = np.array(geometry.resized) / geometry.upright
    moved: Array = (np.stack(upright, axis=1) + 0.5) * scale - 0.5 - geometry.crop[:2]
    return moved


def _nearest(start: int, length: int, resized: int, available: int) -> Array:
    """For each pixel of a crop of the resized side, the index of the pixel under its centre."""
    centres = (np.arange(start, start + length) + 0.5) * available / resized
    return np.minimum(centres.astype(np.intp), available - 1)


def _upright(array: Array, geometry: Geometry) -> Array:
    size = (array.shape[1], array.shape[0])
    if _same_aspect(size, geometry.original):
        return _UPRIGHT[geometry.orientation](array)
    if _same_aspect(size, geometry.upright):
        return array
    raise ValueError(
        f"a map of {size[0]} x {size[1]} does not belong to an image of "
        f"{geometry.original[0]} x {geometry.original[1]}: their aspects differ"
    )


def _same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Up to the rounding of sides to whole pixels."""
    (w, h), (v, g) = size, other
    slack = ASPECT_TOLERANCE * w * g + max(w, h, v, g)
    return abs(w * g - h * v) <= slack
