"""Five ways to render colours, light and outlines: soft, flat, hatched, dotted, watercolour.

Each works pixel by pixel, so that a thing changes nothing but where it and its shadow are; black stays black and white
stays white enough to keep their HSV ranges.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sluice.preprocess.tabletop.grid import Array, Grid, coverage, held
from sluice.preprocess.tabletop.relief import length

# `(colours (3, height, width), light, ink, paper, grid)` to colours, 0 to 1.
Style = Callable[[Array, Array, Array, Array, Grid], Array]
PERIOD = 1 / 26


def lit(colours: Array, light: Array) -> Array:
    """Colours in a light; what is above 1 turns them towards white."""
    shine = np.maximum(light - 1, 0)
    bright: Array = colours * (np.minimum(light, 1) - shine) + shine
    return bright


def _soft(colours: Array, light: Array, ink: Array, paper: Array, _at: Grid) -> Array:
    return lit(colours, light * (1 - 0.16 * ink) + (0.035 * (paper - 0.5)))


def _flat(colours: Array, light: Array, ink: Array, _paper: Array, _at: Grid) -> Array:
    """Two tones and an outline."""
    tone = 0.86 + 0.14 * held((light - 0.8) * 12)
    drawn: Array = colours * (tone * (1 - 0.62 * ink))
    return drawn


def _hatched(colours: Array, light: Array, ink: Array, paper: Array, at: Grid) -> Array:
    """A pen: strokes one way in the half shade, and the other way too in the deep."""
    dark = np.maximum(0.84 - light, 0)
    pixel = 1.4 / at.unit
    wavering = 0.02 * paper
    stroke = _strokes(at.across + at.down + wavering, np.minimum(dark * 1.7, 0.5), pixel)
    cross = _strokes(at.across - at.down + wavering, np.clip(dark * 2 - 0.45, 0, 0.4), pixel)
    strokes = np.maximum(np.maximum(stroke, cross) * 0.6, 0.7 * ink)
    drawn: Array = colours * ((0.8 + 0.2 * np.minimum(light, 1)) * (1 - strokes))
    return drawn


def _strokes(place: Array, share: Array, pixel: float) -> Array:
    away = np.abs(place - PERIOD * np.rint(place / PERIOD))
    drawn: Array = held((share * (PERIOD / 2) - away) / pixel + 0.5) * np.minimum(share * 8, 1)
    return drawn


def _dotted(colours: Array, light: Array, ink: Array, _paper: Array, at: Grid) -> Array:
    """A halftone screen at 45 degrees, its dots as large as the shade is deep."""
    dark = np.maximum(0.86 - light, 0)
    u, v = (at.across + at.down) / (PERIOD * 1.2), (at.across - at.down) / (PERIOD * 1.2)
    away = length(u - np.rint(u), v - np.rint(v)) * PERIOD
    radius = np.sqrt(dark) * (0.62 * PERIOD)
    dots = coverage(away - radius, 1.2 / at.unit) * np.minimum(dark * 12, 1)
    printed: Array = colours * ((0.84 + 0.16 * np.minimum(light, 1)) * (1 - np.maximum(0.42 * dots, 0.5 * ink)))
    return printed


def _watercolour(colours: Array, light: Array, ink: Array, paper: Array, _at: Grid) -> Array:
    """Thinned pigment that gathers at edges and in the paper's grain; the ends of the scale stay."""
    wash = (0.68 + 0.32 * np.minimum(light, 1)) * (1 - 0.22 * ink)
    thin = colours + colours * colours * (1 - colours)
    grains = 0.9 * (paper - 0.5)
    painted: Array = (thin + grains * thin * (1 - thin) * np.minimum(3 * thin, 1)) * wash
    return painted


STYLES: dict[str, Style] = {
    "soft": _soft,
    "flat": _flat,
    "hatched": _hatched,
    "dotted": _dotted,
    "watercolour": _watercolour,
}
