"""A record's fields as people see them best: labels in colours, depth in a perceptual map, what is silent hatched."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from typing import Any

import cv2
import numpy as np

from sluice.infra.page.blocks import Figure
from sluice.preprocess.record import Array, encode_png, field_named
from sluice.preprocess.silence import silence, silent_mask

WEBP_QUALITY = 72
UNCOVERED = (70, 74, 78)
OUTLINE = (255, 176, 32)
HATCH = (92, 98, 104)
HATCH_STEP = 9
FAINT = 0.35


def is_picture(field: str) -> bool:
    """Whether a field is an image, one value or three for each pixel of the record."""
    return field_named(field).shape == "image"


def picture(field: str, value: Array) -> Array:
    """An image field as a person sees it best, RGB uint8 `(height, width, 3)`.

    Labels get a colour each, 0 a grey; 16-bit fields (depth) go through OpenCV's inferno, near is bright.
    """
    if field == "segments.png":
        return _coloured(value)
    if value.dtype == np.uint16:
        mapped: Array = cv2.applyColorMap((value >> 8).astype(np.uint8), cv2.COLORMAP_INFERNO)
        return np.ascontiguousarray(mapped[..., ::-1])
    return value if value.ndim == 3 else np.repeat(value[..., None], 3, axis=2)


def _coloured(labels: Array) -> Array:
    """Hues a golden angle apart, so that neighbours in number, often neighbours in place, differ most."""
    present, place = np.unique(labels, return_inverse=True)
    number = present.astype(np.float64)
    hue = np.mod(number * 0.61803398875, 1) * 180
    light = np.where(present % 2 == 0, 235, 190)
    hsv = np.stack([hue, np.where(present % 3 == 0, 110, 165), light], axis=-1).astype(np.uint8)
    palette = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    palette[present == 0] = UNCOVERED
    coloured: Array = palette[place.reshape(labels.shape)]
    return coloured


def silenced(field: str, control: Array, segments: Array, kept: Collection[int], side: int | None) -> Array:
    """A control silent outside the kept segments, RGB, its longer side at most `side`.

    A line goes around what is kept, a faint one between kept segments; what is silent is hatched.
    """
    image = _fitted(picture(field, silence(control, segments, kept)), side)
    height, width = image.shape[:2]
    labels = cv2.resize(segments, (width, height), interpolation=cv2.INTER_NEAREST)
    silent = silent_mask(labels, kept)
    within = _borders(labels) & ~silent
    image[within] = (image[within] * (1 - FAINT) + np.array(OUTLINE) * FAINT).astype(np.uint8)
    return hatched(image, silent)


def hatched(image: Array, silent: Array) -> Array:
    """An RGB image, hatched where it is silent, bool `(height, width)`, with a line around what is not."""
    shown = image.copy()
    rows, columns = np.indices(silent.shape)
    shown[silent & ((rows + columns) % HATCH_STEP < 1)] = HATCH
    shown[_borders(silent) & ~silent] = OUTLINE
    return shown


def _borders(labels: Array) -> Array:
    """The pixels that touch one of another label, bool `(height, width)`."""
    border = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    return border


def _fitted(image: Array, side: int | None) -> Array:
    """The image with its longer side at most `side` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width)) if side else 1.0
    if scale == 1.0:
        return np.ascontiguousarray(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def figure(label: str, image: Array, side: int | None = None, note: str = "") -> Figure:
    """An RGB image in the page itself: WebP where it is made smaller than `side`, else PNG, pixel for pixel."""
    small = _fitted(image, side)
    data, kind = (_webp(small), "webp") if side else (encode_png(small), "png")
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Figure(label, source, small.shape[1], small.shape[0], note=note)


def _webp(image: Array) -> bytes:
    _, data = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
    return bytes(data)


def in_words(field: str, value: Any) -> str:
    """What a field that is no picture comes to, in a few words: a number, a truth or nothing as JSON writes it."""
    if isinstance(value, np.ndarray):
        return f"{' × '.join(str(n) for n in value.shape)} {value.dtype}"
    if field == "pose.json":
        people = len(value["people"])
        return "nobody" if people == 0 else "1 person" if people == 1 else f"{people} people"
    if field == "safety.json":
        return f"unsafe: {value['unsafe']:.2f} of 1, says {value['model']}"
    if isinstance(value, str):
        return f"{len(value)} characters"
    return f"{len(value)} entries" if isinstance(value, list | dict) else json.dumps(value)
