"""From overlapping masks to one label a pixel, and from crumbs to none."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sluice.preprocess.perception.masks import Mask
from sluice.preprocess.record import Array

LARGEST_LABEL = np.iinfo(np.uint16).max


def label_map(masks: Sequence[Mask], height: int, width: int, min_area: int, gap: int = 0) -> Array:
    """Labels uint16 `(height, width)`: 1, 2, ... from the largest segment to the smallest, 0 the uncovered rest.

    Where masks overlap the smaller one wins (a part lies on its whole), of equally large ones that of the higher
    predicted quality. Then the rest goes to its neighbours where it is no wider than `gap` pixels (the seams that masks
    leave between each other), and so do regions under `min_area` pixels.
    """
    labels = np.zeros((height, width), np.int32)
    ranked = sorted(masks, key=lambda mask: (-mask.area, mask.predicted_iou, mask.box))
    for label, mask in enumerate(ranked[-LARGEST_LABEL:], start=1):
        x0, y0, x1, y1 = mask.box
        labels[y0 : y1 + 1, x0 : x1 + 1][mask.pixels] = label
    if gap > 0:
        labels = fill_from_nearest(labels, _seams(labels, gap))
    return consecutive(merge_small_regions(labels, min_area))


def _seams(labels: Array, gap: int) -> Array:
    """Where the rest is too narrow for a square of gap + 1 pixels; the rest goes on beyond the image."""
    rest = np.pad((labels == 0).astype(np.uint8), gap, constant_values=1)
    opened = cv2.morphologyEx(rest, cv2.MORPH_OPEN, np.ones((gap + 1, gap + 1), np.uint8))
    return (rest > opened)[gap:-gap, gap:-gap]


def merge_small_regions(labels: Array, min_area: int) -> Array:
    """Labels without connected regions under `min_area` pixels: these pixels take the label of the nearest others.

    Where no region is large enough the largest one takes all.
    """
    regions, areas = connected_regions(labels)
    small = areas < min_area
    if small.all():
        small[np.argmax(areas)] = False
    return fill_from_nearest(labels, small[regions])


def connected_regions(labels: Array) -> tuple[Array, Array]:
    """The number of each pixel's region of equal labels (4 neighbours), and the regions' areas."""
    from skimage.measure import label

    regions: Array = label(labels, background=-1, connectivity=1) - 1  # type: ignore[no-untyped-call]
    return regions, np.bincount(regions.ravel())


def fill_from_nearest(labels: Array, holes: Array) -> Array:
    """Labels with the pixels of `holes` taken from the nearest pixel outside them."""
    from scipy.ndimage import distance_transform_edt

    if not holes.any() or holes.all():
        return labels
    rows, columns = distance_transform_edt(holes, return_distances=False, return_indices=True)
    filled: Array = labels[rows, columns]
    return filled


def consecutive(labels: Array) -> Array:
    """The labels renamed 1, 2, ... by falling area, of equally large ones by their first pixel; 0 stays 0. uint16."""
    names, first, index, areas = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -areas))
    order = order[names[order] != 0][:LARGEST_LABEL]
    renamed = np.zeros(len(names), np.uint16)
    renamed[order] = np.arange(1, len(order) + 1)
    return renamed[index.reshape(labels.shape)]
