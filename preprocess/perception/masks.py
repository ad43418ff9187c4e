"""A mask within its box, and what is done with a list of them: duplicates and crumbs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from sluice.preprocess.perception.crops import Crop
from sluice.preprocess.perception.nms import nms
from sluice.preprocess.record import Array

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Mask:
    """One mask: `pixels`, bool, is what lies within `box` (x0, y0, x1, y1 in the image, the last ones included).

    `point` (x, y) prompted it, in `crop`; both scores lie in 0 .. 1.
    """

    box: Box
    pixels: Array
    predicted_iou: float
    stability_score: float
    point: tuple[float, float]
    crop: Crop

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    def whole(self, height: int, width: int) -> Array:
        """The mask in its image: bool `(height, width)`."""
        whole = np.zeros((height, width), bool)
        x0, y0, x1, y1 = self.box
        whole[y0 : y1 + 1, x0 : x1 + 1] = self.pixels
        return whole


def bounding_box(mask: Array) -> Box:
    """x0, y0, x1, y1 of a bool array `(height, width)`, the last ones included; zeros for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])) if len(rows) else (0, 0, 0, 0)


def within(mask: Array, box: Box) -> Array:
    """A copy of the part of a mask in a box."""
    x0, y0, x1, y1 = box
    return mask[y0 : y1 + 1, x0 : x1 + 1].copy()


def without_duplicates(masks: Sequence[Mask], scores: Sequence[float], threshold: float) -> list[Mask]:
    """The masks whose box no better one's box overlaps by more than the threshold, best score first."""
    if not masks:
        return []
    boxes = torch.tensor([mask.box for mask in masks], dtype=torch.float32)
    return [masks[i] for i in nms(boxes, torch.tensor(scores), threshold).tolist()]


def without_small_regions(masks: Sequence[Mask], size: tuple[int, int], min_area: int, threshold: float) -> list[Mask]:
    """The masks with holes and islands under `min_area` pixels removed, then without duplicates.

    Masks that needed no change come first. `size` is (height, width) of the image.
    """
    cleaned = [_cleaned(mask, size, min_area) for mask in masks]
    unchanged = [float(after is before) for after, before in zip(cleaned, masks, strict=True)]
    return without_duplicates(cleaned, unchanged, threshold)


def _cleaned(mask: Mask, size: tuple[int, int], min_area: int) -> Mask:
    whole = mask.whole(*size)
    filled = ~_large_regions(~whole, min_area, keep_one=False)
    pixels = _large_regions(filled, min_area, keep_one=True)
    if np.array_equal(pixels, whole):
        return mask
    box = bounding_box(pixels)
    return replace(mask, box=box, pixels=within(pixels, box))


def _large_regions(mask: Array, min_area: int, keep_one: bool) -> Array:
    """The connected regions (8 neighbours) of at least `min_area` pixels; `keep_one` keeps the largest if none is."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    large = areas >= min_area
    large[0] = False
    if keep_one and len(areas) > 1 and not large.any():
        large[1 + np.argmax(areas[1:])] = True
    kept: Array = large[regions]
    return kept
