"""A segmentation drawn in colours, as data sets publish them, to labels."""

from __future__ import annotations

import cv2
import numpy as np

from sluice.preprocess.record import Array

# More colours than any palette in use (ADE20K has 150) are the noise of a lossy file.
MOST_EXACT_COLOURS = 256
SAME_COLOUR = 24.0
SMALLEST_SHARE = 0.0005
NEIGHBOURS = np.ones((7, 7), np.uint8)


def labels_from_colours(picture: Array) -> Array:
    """RGB uint8 `(height, width, 3)`, one colour a class, to uint16 labels `(height, width)`.

    Black is 0, the uncovered rest; the other colours count from 1 in the order of their values. A map of more than 256
    colours has been through JPEG: its classes are then the colours of flat places, those within 24 levels of a more
    frequent one (Euclidean) taken for it, and every pixel goes to the nearest.
    """
    colours, where = np.unique(_pack(picture), return_inverse=True)
    lossy = len(colours) > MOST_EXACT_COLOURS
    classes = np.sort(_palette(picture)) if lossy else colours
    nearest = _nearest(_unpack(colours), _unpack(classes)) if lossy else np.arange(len(colours))
    black = np.linalg.norm(_unpack(classes[:1]), axis=1)[0] <= (SAME_COLOUR if lossy else 0)
    labels: Array = (nearest + (0 if black else 1)).astype(np.uint16)[where].reshape(picture.shape[:2])
    return labels


def _palette(picture: Array) -> Array:
    """The packed colours that fill flat places, where neither an edge nor its ringing reaches."""
    unevenness = (cv2.dilate(picture, NEIGHBOURS) - cv2.erode(picture, NEIGHBOURS)).max(axis=2)
    flat = picture[unevenness <= SAME_COLOUR] if (unevenness <= SAME_COLOUR).any() else picture.reshape(-1, 3)
    colours, counts = np.unique(_pack(flat), return_counts=True)
    points = _unpack(colours)
    kept: list[int] = []
    for index in np.argsort(-counts, kind="stable"):
        if kept and counts[index] < SMALLEST_SHARE * counts.sum():
            break
        if not kept or np.linalg.norm(points[kept] - points[index], axis=1).min() > SAME_COLOUR:
            kept.append(int(index))
    return colours[kept]


def _nearest(points: Array, classes: Array) -> Array:
    """The index of the nearest class of each point; a few thousand points in memory at a time."""
    steps = np.split(points, range(4096, len(points), 4096))
    return np.concatenate([np.linalg.norm(step[:, None] - classes, axis=2).argmin(axis=1) for step in steps])


def _pack(picture: Array) -> Array:
    packed: Array = picture.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    return packed


def _unpack(packed: Array) -> Array:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.float32)
