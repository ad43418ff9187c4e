"""A segmentation drawn in colours, as data sets publish them, to labels."""

from __future__ import annotations

import numpy as np
from sluice.preprocess.record import Array

# More colours than any palette in use (ADE20K has 150) are the noise of a lossy file.
MOST_EXACT_COLOURS = 256
SAME_COLOUR = 24.0
SMALLEST_SHARE = 0.0005


def labels_from_colours(picture: Array) -> Array:
    """RGB uint8 `(height, width, 3)`, one colour a class, to uint16 labels `(height, width)`.

    Black is 0, the uncovered rest; the other colours count from 1 in the order of their values. A map of more than 256
    colours has been through JPEG: then rare colours and those within 24 levels of a more frequent one (Euclidean) are
    taken for it.
    """
    packed = picture.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, where, counts = np.unique(packed, return_inverse=True, return_counts=True)
    nearest = np.arange(len(colours)) if len(colours) <= MOST_EXACT_COLOURS else _merge(colours, counts)
    used = np.unique(nearest)
    first = 0 if len(used) and _is_black(colours[used[0]], len(colours) > MOST_EXACT_COLOURS) else 1
    numbers = np.zeros(len(colours), np.uint16)
    numbers[used] = np.arange(first, first + len(used))
    labels: Array = numbers[nearest][where].reshape(picture.shape[:2])
    return labels


def _is_black(packed: int, lossy: bool) -> bool:
    return float(np.linalg.norm(_unpack(np.array([packed]))[0])) <= (SAME_COLOUR if lossy else 0)


def _unpack(packed: Array) -> Array:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.float32)


def _merge(colours: Array, counts: Array) -> Array:
    """For each colour the index of the one that stands for it."""
    points = _unpack(colours)
    kept: list[int] = []
    for index in np.argsort(-counts, kind="stable"):
        if counts[index] < SMALLEST_SHARE * counts.sum():
            break
        if not kept or np.linalg.norm(points[kept] - points[index], axis=1).min() > SAME_COLOUR:
            kept.append(int(index))
    kept = kept or [int(np.argmax(counts))]
    nearest = np.zeros(len(colours), np.intp)
    for start in range(0, len(colours), 4096):
        distances = np.linalg.norm(points[start : start + 4096, None] - points[None, kept], axis=2)
        nearest[start : start + 4096] = np.asarray(kept)[distances.argmin(axis=1)]
    return nearest
