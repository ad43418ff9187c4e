"""Conditions that come with an image, brought to the record's geometry and to the form our own stages give."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from sluice.preprocess.perception.decode import decode, read_header
from sluice.preprocess.perception.depth import to_uint16
from sluice.preprocess.perception.geometry import Geometry, apply_to_image, apply_to_labels
from sluice.preprocess.perception.given_mask import given_mask
from sluice.preprocess.record import Array, decode_png

EDGE = 128


def _colours(data: bytes, geometry: Geometry) -> Array:
    image = decode(data, read_header(data))
    if image.shape[1::-1] != geometry.stored:
        # Ready conditions are often stored smaller than their images.
        image = cv2.resize(image, geometry.stored, interpolation=cv2.INTER_LINEAR)
    return apply_to_image(image, geometry)


def _grey(data: bytes, geometry: Geometry) -> Array:
    return np.ascontiguousarray(_colours(data, geometry).max(axis=2))


def _edges(data: bytes, geometry: Geometry) -> Array:
    """Lines survive resizing as the nearest pixel, not as an average."""
    image = decode(data, read_header(data))
    lines = np.where(image.max(axis=2) >= EDGE, np.uint8(255), np.uint8(0))
    return apply_to_labels(lines, geometry)


GIVEN: dict[str, Callable[[bytes, Geometry], Array]] = {
    "canny.png": _edges,
    "hed.png": _grey,
    "depth.png": lambda data, geometry: to_uint16(_grey(data, geometry)),
    "pose.png": _colours,
    "mask.png": given_mask,
    "segments.png": lambda data, geometry: apply_to_labels(decode_png(data), geometry),
}


def given(field: str, data: bytes, geometry: Geometry) -> Array:
    """A companion's bytes as one of the fields in GIVEN, of the record's size.

    Raises DecodeError for a file that is not an image, ValueError for another aspect than the image's.
    """
    return GIVEN[field](data, geometry)
