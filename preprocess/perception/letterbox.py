"""Images of any shape in a network's square, their aspect ratio kept."""

from __future__ import annotations

import cv2
import numpy as np

from sluice.preprocess.record import Array


def letterbox(image: Array, size: int, grey: int) -> tuple[Array, Array]:
    """An RGB image shrunk or grown into the upper left of a grey square, and the scales `(2,)` taken in x and y.

    The two scales differ by the rounding to whole pixels, which dividing by them undoes.
    """
    height, width = image.shape[:2]
    scale = size / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    right, below = size - inner[0], size - inner[1]
    square = cv2.copyMakeBorder(resized, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(grey, grey, grey))
    return square, np.array([inner[0] / width, inner[1] / height])
