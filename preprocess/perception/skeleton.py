"""The skeleton of 18 COCO points in OpenPose's order: its limbs, a person's record, and its customary picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from sluice.preprocess.record import Array

POINTS = (
    "nose",
    "neck",
    "right shoulder",
    "right elbow",
    "right wrist",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right hip",
    "right knee",
    "right ankle",
    "left hip",
    "left knee",
    "left ankle",
    "right eye",
    "left eye",
    "right ear",
    "left ear",
)
NECK, RIGHT_SHOULDER, LEFT_SHOULDER = 1, 2, 5
COCO_POINTS = 17
# Where each of COCO's 17 points stands among OpenPose's 18, which add the neck.
_PLACE_OF_COCO = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
FEWEST_POINTS = 4

# In the order in which ControlNet's annotator draws them; the i-th limb and the i-th point share a colour.
DRAWN_LIMBS = (
    (1, 2),
    (1, 5),
    (2, 3),
    (3, 4),
    (5, 6),
    (6, 7),
    (1, 8),
    (8, 9),
    (9, 10),
    (1, 11),
    (11, 12),
    (12, 13),
    (1, 0),
    (0, 14),
    (14, 16),
    (0, 15),
    (15, 17),
)
LIMB_BRIGHTNESS = 0.6
STICK_WIDTH = 4 / 512


@dataclass(frozen=True)
class Person:
    """18 points, float `(18, 3)`: x and y in pixels (the first pixel's centre is 0) and confidence, all 0 if unseen."""

    points: Array

    @property
    def seen(self) -> Array:
        """Which of the 18 points were found, bool `(18,)`."""
        found: Array = self.points[:, 2] > 0
        return found

    @property
    def score(self) -> float:
        """The mean confidence of the seen points."""
        return float(self.points[self.seen, 2].mean()) if self.seen.any() else 0.0


def openpose_order(points: Array, threshold: float) -> Person:
    """COCO's 17 points `(17, 3)` as OpenPose's 18: the neck lies between the shoulders and is as sure as the worse.

    Points of a confidence below `threshold` (above 0) count as unseen.
    """
    rows = np.zeros((len(POINTS), 3))
    rows[list(_PLACE_OF_COCO)] = points
    shoulders = rows[[RIGHT_SHOULDER, LEFT_SHOULDER]]
    rows[NECK] = *shoulders[:, :2].mean(axis=0), shoulders[:, 2].min()
    return Person(rows * (rows[:, 2:] >= threshold))


def settle(people: Sequence[Person], height: int, width: int) -> list[Person]:
    """The people with their points within the image, from the best seen (sum of confidences) to the least."""
    corner = [width - 1, height - 1, np.inf]
    inside = [Person(np.clip(person.points, 0, corner) * person.seen[:, None]) for person in people]
    return sorted(inside, key=lambda p: (-round(float(p.points[:, 2].sum()), 4), p.points.tolist()))


def describe(people: Sequence[Person]) -> dict[str, Any]:
    """The content of `pose.json`: pixels to two decimals, confidences and scores to four."""
    return {
        "people": [
            {
                "points": [[round(x, 2), round(y, 2), round(c, 4)] for x, y, c in person.points.tolist()],
                "score": round(person.score, 4),
            }
            for person in people
        ]
    }


def _colour(index: int) -> tuple[int, int, int]:
    """The i-th of 18 hues in steps of a third of the way from one pure mixture to the next, as OpenPose colours."""
    ramp = [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255), (255, 0, 0)]
    start, end = np.array(ramp[index // 3]), np.array(ramp[index // 3 + 1])
    red, green, blue = (int(c) for c in start + (end - start) * (index % 3) // 3)
    return red, green, blue


COLOURS = tuple(_colour(i) for i in range(len(POINTS)))


def _draw_limb(canvas: Array, start: Array, end: Array, width: int, colour: tuple[int, int, int]) -> None:
    (x, y), (dx, dy) = (start + end) / 2, end - start
    axes = (int(np.hypot(dx, dy) / 2), width)
    turn = int(np.degrees(np.arctan2(dy, dx)))
    outline = np.asarray(cv2.ellipse2Poly((int(x), int(y)), axes, turn, 0, 360, 1))
    cv2.fillConvexPoly(canvas, outline, colour)


def draw(people: Sequence[Person], height: int, width: int) -> Array:
    """The skeletons on black, RGB uint8 `(height, width, 3)`: limbs as dimmed ellipses, points as discs.

    The look that ControlNet's pose networks were trained on: half a stick is 4 pixels wide where the image's shorter
    side is 512, and scales with it.
    """
    canvas = np.zeros((height, width, 3), np.uint8)
    stick = max(1, round(STICK_WIDTH * min(height, width)))
    for i, (a, b) in enumerate(DRAWN_LIMBS):
        for person in people:
            if person.seen[a] and person.seen[b]:
                _draw_limb(canvas, person.points[a, :2], person.points[b, :2], stick, COLOURS[i])
    canvas = (canvas * LIMB_BRIGHTNESS).astype(np.uint8)
    for person in people:
        for point, colour in zip(person.points, COLOURS, strict=True):
            if point[2] > 0:
                cv2.circle(canvas, (int(point[0]), int(point[1])), stick, colour, thickness=-1)
    return canvas
