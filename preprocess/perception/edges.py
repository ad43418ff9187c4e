"""Classical edges: Canny's, Canny's of a cut-out foreground, and a soft gradient strength in HED's place."""

from __future__ import annotations

import cv2
import numpy as np

from sluice.preprocess.record import Array

GRADIENT_SIGMA = 1.4
GRADIENT_KNEE = 12.0


def canny(image: Array, low: float = 100, high: float = 200, blur: float = 0) -> Array:
    """Canny's edges of an RGB uint8 image: uint8 `(height, width)`, 0 or 255.

    `low` and `high` are the hysteresis thresholds on the Sobel magnitude |dx| + |dy| of the strongest colour channel;
    `blur` is the deviation, in pixels, of a Gaussian applied first (0: none).
    """
    smoothed = cv2.GaussianBlur(image, (0, 0), blur) if blur > 0 else image
    edges: Array = cv2.Canny(smoothed, low, high)
    return edges


def inside(edges: Array, mask: Array, margin: int) -> Array:
    """The edges inside a mask (0 or 255) grown by `margin` pixels, silent (0) elsewhere."""
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1)))
    return np.where(grown > 0, edges, np.uint8(0))


def gradient(image: Array) -> Array:
    """A soft edge strength without a network: uint8 `(height, width)`, 0 to 255.

    The Scharr magnitude m of the smoothed image, in grey levels a pixel and of its strongest colour channel, becomes
    1 - exp(-(m / 12)^2). The scale is fixed, so a flat picture stays dark: its noise is not stretched to full strength.
    Unlike HED it knows nothing of objects, and texture is as strong as outline.
    """
    smoothed = cv2.GaussianBlur(image, (0, 0), GRADIENT_SIGMA).astype(np.float32)
    # Scharr's kernel sums to 32 over a step of two pixels.
    across, down = (cv2.Scharr(smoothed, cv2.CV_32F, dx, 1 - dx) / 32 for dx in (1, 0))
    magnitude = np.hypot(across, down).max(axis=2)
    strength = 1 - np.exp(-((magnitude / GRADIENT_KNEE) ** 2))
    rounded: Array = np.rint(strength * 255).astype(np.uint8)
    return rounded
