"""Salient objects by U2-Net (Qin et al., Pattern Recognition 2020): what a picture is a picture of."""

from __future__ import annotations

import cv2
import numpy as np

from sluice.preprocess.perception.onnx import OnnxNetwork
from sluice.preprocess.record import Array

INPUT = 320
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def salience(network: OnnxNetwork, image: Array) -> Array:
    """How salient every pixel of an RGB uint8 `(height, width, 3)` is: float32 `(height, width)`, 0 to 1.

    The network sees the image stretched to 320 x 320 and divided by its own maximum. Its map is taken as it is, not
    stretched to 0 .. 1 for every image: a picture of nothing in particular keeps an empty mask.
    """
    stretched = cv2.resize(image, (INPUT, INPUT), interpolation=cv2.INTER_AREA).astype(np.float32)
    pixels = (stretched / max(float(stretched.max()), 1.0) - MEAN) / DEVIATION
    soft = network(pixels.transpose(2, 0, 1)[None])[0][0, 0]
    height, width = image.shape[:2]
    resized: Array = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized


def salient_mask(network: OnnxNetwork, image: Array, threshold: float = 0.5) -> Array:
    """The salient object of an RGB uint8 image: uint8 `(height, width)`, 0 or 255. It may be empty, or everything."""
    return np.where(salience(network, image) >= threshold, np.uint8(255), np.uint8(0))
