"""What an inpainter has in common with every other: the hole it fills, and the image's own pixels around it."""

from __future__ import annotations

import cv2
import numpy as np

from sluice.preprocess.record import Array


def hole(mask: Array, dilation: int = 50) -> Array:
    """Where the object was, with a margin: bool `(height, width)`, from a mask uint8 (128 and more is the object).

    The mask is dilated with a square of `dilation` pixels at a short side of 512, scaled with the image (CnC's released
    code: 50). The margin takes shadows and soft edges, which would let the object be seen in the background's depth.
    """
    side = max(1, round(dilation * min(mask.shape) / 512))
    return cv2.dilate((mask >= 128).astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)


def compose(image: Array, painted: Array, where: Array) -> Array:
    """`painted` inside `where`, the image's own pixels elsewhere; RGB uint8 `(height, width, 3)`."""
    return np.where(where[..., None], painted, image)
