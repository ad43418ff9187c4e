"""OpenCV's inpainting, made usable for large holes by working on a smaller copy."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from sluice.preprocess.perception.inpaint import compose
from sluice.preprocess.record import Array

METHODS = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}
MOST_PIXELS = 8000
RADIUS = 5


def inpaint(image: Array, where: Array, method: Literal["telea", "navier-stokes"] = "telea") -> Array:
    """RGB uint8 with `where` (bool `(height, width)`) filled from its rim: Telea (2004) or Bertalmio et al. (2001).

    Both march from the rim inwards, which takes time and draws streaks across a large hole. So a hole of more than
    8,000 pixels is filled on a copy shrunk until it has no more, and the enlarged filling is put in: a smooth guess of
    colour without texture or objects, its silhouette plain in any depth map. Unfit for training data. Even on a flat
    colour OpenCV's Telea strays by up to 6 levels; Navier-Stokes does not.
    Raises ValueError where nothing is left to fill from.
    """
    if where.all():
        raise ValueError("the hole covers the whole image, so there is nothing to fill it from")
    if not where.any():
        return image.copy()
    scale = min(1.0, (MOST_PIXELS / int(where.sum())) ** 0.5)
    small, small_hole = _shrink(image, where, scale)
    filled = cv2.inpaint(small, small_hole.astype(np.uint8), RADIUS, METHODS[method])
    size = (image.shape[1], image.shape[0])
    return compose(image, cv2.resize(filled, size, interpolation=cv2.INTER_CUBIC), where)


def _shrink(image: Array, where: Array, scale: float) -> tuple[Array, Array]:
    """Image and hole at `scale`: a small pixel is the mean of the known pixels under it, a hole where most are not."""
    if scale == 1:
        return image, where
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    known = (~where).astype(np.float32)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    colours = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA)
    small = colours / np.maximum(share, 1e-6)[..., None]
    return np.rint(np.clip(small, 0, 255)).astype(np.uint8), share < 0.5
