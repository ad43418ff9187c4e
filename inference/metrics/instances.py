"""How many of the instances that were asked for are there, by COCO-MIG's rules (MIGC, Sec. 4; LeyRio/MIG_Bench).

An instance is there where a detection of its noun overlaps its box by a half or more and a fifth of its mask has its
colour. The detector and the segmenter are functions; `judged.py` has tabletop's, `grounded.py` those of photographs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, enough
from sluice.infra.settings import nearest
from sluice.preprocess.record import Array

OVERLAP = 0.5
COLOURED = 0.2

HSV = tuple[int, int, int]
RANGES: dict[str, tuple[tuple[HSV, HSV], ...]] = {
    "red": (((0, 50, 70), (9, 255, 255)), ((159, 50, 70), (180, 255, 255))),
    "yellow": (((25, 50, 70), (35, 255, 255)),),
    "green": (((36, 50, 70), (89, 255, 255)),),
    "blue": (((90, 50, 70), (128, 255, 255)),),
    "black": (((0, 0, 0), (180, 255, 30)),),
    "white": (((0, 0, 221), (180, 43, 255)),),
    "brown": (((6, 43, 35), (25, 255, 255)),),
    "purple": (((130, 50, 70), (158, 255, 255)),),
}
"""OpenCV's HSV, lowest and highest, both included. Purple is no colour of COCO-MIG's, but one of tabletop's."""


@dataclass(frozen=True)
class Instance:
    """What was asked for: a noun, a colour of RANGES, and a box (left, top, right, bottom) in pixels."""

    noun: str
    colour: str
    box: tuple[float, float, float, float]


Detect = Callable[[str], Array]
"""Boxes `(n, 4)` in pixels of a noun, without its colour, in one picture."""
Segment = Callable[[Instance], Array]
"""The mask `(height, width)` of what an instance's box holds, in one picture."""


@dataclass(frozen=True)
class Score:
    """Whether an instance is there, and by how much it overlaps its box: 0 where its colour is wrong."""

    success: bool
    overlap: float


def instance_score(picture: Array, instance: Instance, detect: Detect, segment: Segment) -> Score:
    """Of an RGB uint8 picture `(height, width, 3)`. Raises Unmeasurable for another, and for a colour not in RANGES.

    The best detection counts, whatever other instance it also serves. Where it overlaps by less than a half its
    overlap counts, colour unseen.
    """
    if instance.colour not in RANGES:
        raise Unmeasurable(f"instances: no colour is called '{instance.colour}'; {nearest(instance.colour, RANGES)}")
    overlap = max((box_overlap(box, instance.box) for box in detect(instance.noun)), default=0.0)
    if overlap < OVERLAP:
        return Score(False, overlap)
    right = coloured(picture, segment(instance), instance.colour) >= COLOURED
    return Score(right, overlap if right else 0.0)


def instance_success_rate(scores: Sequence[Score]) -> Tensor:
    """1 or 0 for each of the instances of all pictures, `(n,)`: their mean is the rate; higher is better."""
    _scored("instance success rate", scores)
    return torch.tensor([float(score.success) for score in scores])


def instance_overlap(scores: Sequence[Score]) -> Tensor:
    """Overlap, 0 to 1, of each of the instances of all pictures, `(n,)`: their mean is mIoU; higher is better."""
    _scored("instance mIoU", scores)
    return torch.tensor([score.overlap for score in scores])


def _scored(metric: str, scores: Sequence[Score]) -> None:
    if not isinstance(scores, Sequence) or not all(isinstance(own, Score) for own in scores):
        raise Unmeasurable(f"{metric} takes what `instance_score` gives, a list of it")
    enough(metric, 1, instances=len(scores))


def box_overlap(one: Sequence[float] | Array, other: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom); 0 where both are empty."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    either = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return float(shared / either) if either > 0 else 0.0


def coloured(picture: Array, mask: Array, colour: str) -> float:
    """The share of a mask's pixels that have a colour; 0 of an empty mask."""
    if picture.dtype != np.uint8 or mask.shape != picture.shape[:2]:
        raise Unmeasurable(
            f"instances: a picture must be RGB uint8 of the mask's size; it is {picture.dtype} {picture.shape}, the "
            f"mask {mask.shape}"
        )
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    inside = [cv2.inRange(hsv, np.array(low), np.array(high)) > 0 for low, high in RANGES[colour]]
    within = np.any(inside, axis=0)[mask.astype(bool)]
    return float(within.mean()) if within.size else 0.0
