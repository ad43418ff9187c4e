"""Pictures in the page itself, as large as is needed to see them."""

from __future__ import annotations

from dataclasses import replace

from sluice.infra.page.blocks import Figure
from sluice.preprocess.page.pictures import figure
from sluice.preprocess.record import Array

SIDE, SHARP = 256, 96
"""Pixels: what is larger than the first is made smaller, what is as small as the second kept pixel for pixel."""


def thumbnail(label: str, image: Array, note: str = "", link: str = "") -> Figure:
    """An RGB uint8 picture `(height, width, 3)`; `link` is the file of it."""
    return replace(figure(label, image, SIDE if max(image.shape[:2]) > SHARP else None, note), link=link)
