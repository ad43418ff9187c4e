"""Scalars that describe a record's fields: what `diff` compares, the page plots and the metadata sidecar lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np

from sluice.preprocess.record import Array, Record

Scalar = float | int | str


def _image(image: Array) -> dict[str, Scalar]:
    return {"width": image.shape[1], "height": image.shape[0]}


def _text(caption: str) -> dict[str, Scalar]:
    return {"caption": caption, "caption_characters": len(caption)}


def _origin(origin: dict[str, Any]) -> dict[str, Scalar]:
    return {
        "uri": str(origin["origin"]["uri"]),
        "split": str(origin["split"]),
        "original_width": int(origin["original"]["size"][0]),
        "original_height": int(origin["original"]["size"][1]),
    }


def _share(name: str) -> Callable[[Array], dict[str, Scalar]]:
    return lambda image: {name: round(cv2.countNonZero(image) / image.size, 6)}


def _mean(name: str, full: int) -> Callable[[Array], dict[str, Scalar]]:
    return lambda image: {name: round(cv2.mean(image)[0] / full, 6)}


MEASURES: dict[str, Callable[[Any], dict[str, Scalar]]] = {
    "jpg": _image,
    "txt": _text,
    "json": _origin,
    "segments.png": lambda labels: {"segments": len(np.unique(labels))},
    "canny.png": _share("edge_density"),
    "hed.png": _mean("soft_edge_mean", 255),
    "depth.png": _mean("depth_mean", 65535),
    "mask.png": _share("mask_area"),
    "pose.json": lambda pose: {"people": len(pose["people"])},
    "fg_depth.png": _mean("fg_depth_mean", 65535),
    "bg_depth.png": _mean("bg_depth_mean", 65535),
}


def measure(record: Record, fields: Iterable[str]) -> dict[str, Scalar]:
    """The scalars of these fields of a record."""
    scalars: dict[str, Scalar] = {}
    for name in fields:
        if name in MEASURES:
            scalars.update(MEASURES[name](record[name]))
    return scalars
