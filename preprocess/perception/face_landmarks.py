"""MediaPipe's face landmarks: 478 points of a face, seen in a square around it, differentiable."""

from __future__ import annotations

import zipfile
from pathlib import Path

from torch import Tensor

from sluice.preprocess.perception.faces import cropped, in_pictures, placed
from sluice.preprocess.perception.tflite_graph import TfliteGraph
from sluice.preprocess.perception.unusable_weights import UnusableWeights

SIZE = 256
EYES_NOSE_MOUTH = ((94.1, 92.1), (160.9, 92.1), (127.5, 128.0), (98.3, 157.4), (156.7, 157.4))
"""Where YuNet's points lie in MediaPipe's square, half as wide again as the face: measured on one face."""
MEMBER = "face_landmarks_detector.tflite"


class FaceLandmarks(TfliteGraph):
    """From a `face_landmarker.task`; see `of_faces`. Raises UnusableWeights."""

    def __init__(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as task:
                network = task.read(MEMBER)
        except (OSError, zipfile.BadZipFile, KeyError) as error:
            raise UnusableWeights(
                f"'{path}' is not MediaPipe's face landmarker: expected a zip with {MEMBER} ({error}); pull "
                "'face-landmarks'"
            ) from error
        super().__init__(network, f"{MEMBER} of '{path}'")

    def of_faces(self, pictures: Tensor, points: Tensor) -> Tensor:
        """The face's points `(batch, 478, 2)` in pixels of pictures `(batch, 3, height, width)`, values -1 to 1.

        `points` `(batch, 5, 2)` are YuNet's of that face.
        """
        places = placed(points, points.new_tensor(EYES_NOSE_MOUTH))
        found = self(cropped((pictures + 1) / 2, places, SIZE)).reshape(len(pictures), -1, 3)
        return in_pictures(found[..., :2], places)
