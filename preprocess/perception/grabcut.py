"""A salient object without a network: GrabCut (Rother et al., SIGGRAPH 2004), begun from segments and borders."""

from __future__ import annotations

import cv2
import numpy as np

from sluice.preprocess.record import Array

WORKING_SIZE = 320
ITERATIONS = 5
BORDER = 0.04
BORDER_SHARE = 0.25
SAME_COLOUR = 10
SEED = 0


def _background(image: Array, segments: Array) -> Array:
    """Where segments lie that are probably background, bool `(height, width)`: on the border, or coloured like one.

    A segment is on the border where it holds more of it than a disc of its size would that is cut off by one side:
    sky and ground do, an object that leaves the picture does not.
    """
    height, width = segments.shape
    band = max(1, round(BORDER * min(height, width)))
    rim = np.ones((height, width), bool)
    rim[band:-band, band:-band] = False
    labels, inverse = np.unique(segments, return_inverse=True)
    inverse = inverse.reshape(segments.shape)
    sizes = np.bincount(inverse.ravel(), minlength=len(labels))
    on_border = np.bincount(inverse[rim], minlength=len(labels)) > BORDER_SHARE * band * np.sqrt(sizes)
    if not on_border.any():
        return rim
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colours = np.stack([np.bincount(inverse.ravel(), part.ravel()) for part in cv2.split(lab)], axis=1) / sizes[:, None]
    distances = np.linalg.norm(colours[:, None] - colours[None, on_border], axis=2).min(axis=1)
    background: Array = (distances < SAME_COLOUR)[inverse]
    return background


def _prior(image: Array, segments: Array) -> Array:
    """GrabCut's labels to begin with: the outermost pixels are background for sure, the rest probably this or that."""
    height, width = segments.shape
    background = _background(image, segments)
    if background.all():
        # The middle of the image is the best guess that is left.
        background[height // 5 : height - height // 5, width // 5 : width - width // 5] = False
    prior = np.where(background, np.uint8(cv2.GC_PR_BGD), np.uint8(cv2.GC_PR_FGD))
    prior[[0, -1], :] = cv2.GC_BGD
    prior[:, [0, -1]] = cv2.GC_BGD
    return prior


def grabcut_mask(image: Array, segments: Array) -> Array:
    """The likely object of an RGB uint8 image with its 16-bit segments: uint8 `(height, width)`, 0 or 255.

    Segments on the border, and those of their colour (within 10 of CIE Lab), are taken for background, the others for
    the object; GrabCut then settles each pixel by colour, at most 320 pixels wide. It follows colour, not meaning:
    several objects, or an object that fills the picture, it gets wrong.
    """
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_SIZE / max(height, width))
    size = max(3, round(width * scale)), max(3, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    labels = _prior(small, cv2.resize(segments, size, interpolation=cv2.INTER_NEAREST))
    cv2.setRNGSeed(SEED)
    cv2.grabCut(small, labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), ITERATIONS, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    soft = cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(soft >= 0.5, np.uint8(255), np.uint8(0))
