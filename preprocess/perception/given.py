"""Conditions that come with an image, brought to the record's geometry and to the form our own stages give."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from sluice.preprocess.perception.decode import DecodeError, bounded, decode, read_header
from sluice.preprocess.perception.depth import to_uint16
from sluice.preprocess.perception.geometry import Geometry, apply_to_image, apply_to_labels, apply_to_points
from sluice.preprocess.perception.given_mask import given_mask
from sluice.preprocess.perception.skeleton import POINTS, Person, describe, settle
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


def _depth(data: bytes, geometry: Geometry) -> Array:
    """Sixteen bits where the file has them, else the brightest of its channels."""
    header = read_header(data)
    if not header.mode.startswith("I"):
        return to_uint16(_grey(data, geometry))
    with bounded(header, data):
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 2:
        raise DecodeError("not a readable grey image of 16 bits")
    return to_uint16(apply_to_image(np.asarray(values), geometry))


def _people(data: bytes, geometry: Geometry) -> dict[str, Any]:
    """Points in pixels of the original; those that the crop leaves out become unseen."""
    people = []
    for person in json.loads(data)["people"]:
        points = np.array(person["points"], np.float64).reshape(len(POINTS), 3)
        points[:, :2] = apply_to_points(points[:, :2], geometry)
        _, _, width, height = geometry.crop
        inside = (points[:, :2] > -0.5).all(axis=1) & (points[:, :2] < (width - 0.5, height - 0.5)).all(axis=1)
        people.append(Person(points * (inside & (points[:, 2] > 0))[:, None]))
    return describe(settle(people, geometry.crop[3], geometry.crop[2]))


GIVEN: dict[str, Callable[[bytes, Geometry], Any]] = {
    "segments": lambda data, geometry: apply_to_labels(decode_png(data), geometry),
    "canny": _edges,
    "hed": _grey,
    "depth": _depth,
    "fg_depth": _depth,
    "bg_depth": _depth,
    "pose": _colours,
    "pose.json": _people,
    "parts": lambda data, geometry: apply_to_labels(decode_png(data), geometry),
    "mask": given_mask,
    "background": _colours,
}


def given(condition: str, data: bytes, geometry: Geometry) -> Any:
    """A companion's bytes, one of GIVEN, in the record's geometry, as the stages that make such a condition give it.

    Raises DecodeError for a file that is not an image, ValueError for another aspect than the image's.
    """
    return GIVEN[condition](data, geometry)
