"""OpenPose's thin network (MobileNet body) in OpenCV: everybody's points and limbs in one pass over the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

from sluice.preprocess.perception.grouping import FIELD_LIMBS, group, peaks
from sluice.preprocess.perception.letterbox import letterbox
from sluice.preprocess.perception.skeleton import POINTS, Person, settle
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

INPUT = 432
STRIDE = 8
CHANNELS = len(POINTS) + 1 + 2 * len(FIELD_LIMBS)
GREY = 127
POINT_THRESHOLD = 0.1
PERSON_THRESHOLD = 0.25


class OpenPose:
    """The frozen TensorFlow graph `graph_opt.pb`; called on an RGB uint8 image it returns everybody in it.

    Points are in the image's pixels, the best seen person first. Points below `threshold` count as unseen; groups of a
    mean confidence below 0.25 are what it sees in roofs and trees, and are dropped. Raises UnusableWeights where
    OpenCV cannot read the file, ValueError on use where the network is not one of 18 points.
    """

    def __init__(self, path: Path, threshold: float = POINT_THRESHOLD) -> None:
        self.threshold = threshold
        try:
            self.network: Any = cv2.dnn.readNetFromTensorflow(str(path))
        except cv2.error as error:
            raise UnusableWeights(
                f"'{path}' is not a TensorFlow graph that OpenCV reads ({error.err}); pull the model 'openpose-thin', "
                "or name another frozen graph in `stages.pose.model`"
            ) from error

    def __call__(self, image: Array) -> list[Person]:
        square, scales = letterbox(image, INPUT, GREY)
        heats, fields = self.maps(square)
        people = []
        for person in group([peaks(heat, self.threshold) for heat in heats], fields):
            points = person.points.copy()
            # A cell covers a square of pixels, so centres, not corners, are what scales.
            points[:, :2] = (points[:, :2] + 0.5) * STRIDE / scales - 0.5
            people.append(Person(points))
        return settle([person for person in people if person.score >= PERSON_THRESHOLD], *image.shape[:2])

    def maps(self, square: Array) -> tuple[Array, Array]:
        """Heat maps `(18, 54, 54)` and affinity fields `(19, 2, 54, 54)` of an RGB uint8 `(432, 432, 3)`.

        The network takes BGR from 0 to 255 as it is.
        """
        self.network.setInput(cv2.dnn.blobFromImage(square, swapRB=True))
        output = self.network.forward()[0]
        if len(output) != CHANNELS:
            raise ValueError(f"a pose network of 18 points gives {CHANNELS} maps, this one gives {len(output)}")
        heats, fields = output[: len(POINTS)], output[len(POINTS) + 1 :]
        return heats, fields.reshape(len(FIELD_LIMBS), 2, *fields.shape[1:])
