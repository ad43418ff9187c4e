"""That silhouettes tell the shapes apart, and that distances and reliefs are what they say."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sluice.preprocess.tabletop import LAWS, draw_scene, render
from sluice.preprocess.tabletop.grid import Array
from sluice.preprocess.tabletop.shapes import SHAPES

CROP = 16
FAR = replace(LAWS["one"], size=(0.25, 0.25), depth=(0.8, 1))


def silhouette(shape: str, index: int, size: int) -> Array:
    """A lone thing's mask, cut to its box and fitted into 16 x 16, its aspect kept."""
    found = render(draw_scene(0, index, replace(FAR, shapes=(shape,))), size)
    left, top, right, bottom = found.visible_boxes[0]
    mask = (found.instances[top:bottom, left:right] == 2).astype(np.float32)
    scale = CROP / max(mask.shape)
    height, width = (round(side * scale) for side in mask.shape)
    fitted = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    canvas = np.zeros((CROP, CROP), np.float32)
    y, x = (CROP - height) // 2, (CROP - width) // 2
    canvas[y : y + height, x : x + width] = fitted
    return canvas


def test_the_nearest_silhouette_names_the_shape_of_small_things() -> None:
    known = [(shape, silhouette(shape, i, 128)) for shape in SHAPES for i in range(8)]
    asked = [(shape, silhouette(shape, i, 64)) for shape in SHAPES for i in range(100, 115)]
    right = [shape == min(known, key=lambda pair: float(((pair[1] - seen) ** 2).sum()))[0] for shape, seen in asked]
    assert np.mean(right) >= 0.95


def test_small_things_are_as_small_as_the_test_above_says() -> None:
    heights = [render(draw_scene(0, i, FAR), 64).boxes[0] for i in range(20)]
    assert 12 <= np.mean([bottom - top for _, top, _, bottom in heights]) <= 16


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_stands_on_its_foot_is_one_high_and_within_its_reach(name: str) -> None:
    shape = SHAPES[name]
    x = np.linspace(-0.8, 0.8, 321, dtype=np.float32)[None, :]
    y = np.linspace(-0.2, 1.2, 281, dtype=np.float32)[:, None]
    rows, columns = np.nonzero(shape.distance(x, y) < 0)
    assert y[rows.min(), 0] == pytest.approx(0, abs=0.03)
    assert y[rows.max(), 0] == pytest.approx(1, abs=0.03)
    assert np.abs(x[0, columns]).max() == pytest.approx(shape.reach, abs=0.06)


@pytest.mark.parametrize("name", SHAPES)
def test_near_the_outline_distances_are_true(name: str) -> None:
    """Where it crosses zero a signed distance has slope 1 (corners and the flat ends of upright bodies aside)."""
    step = 0.005
    x = np.arange(-0.8, 0.8, step, dtype=np.float32)[None, :]
    y = np.arange(-0.2, 1.2, step, dtype=np.float32)[:, None]
    distance = SHAPES[name].distance(x, y) + 0 * x + 0 * y
    up, right = np.gradient(distance, step)
    slope = np.hypot(up, right)[np.abs(distance) < step]
    assert np.median(slope) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("name", SHAPES)
def test_a_relief_is_finite_and_its_normals_are_no_longer_than_one_inside(name: str) -> None:
    shape = SHAPES[name]
    x = np.linspace(-0.7, 0.7, 141, dtype=np.float32)[None, :]
    y = np.linspace(-0.1, 1.1, 121, dtype=np.float32)[:, None]
    distance = shape.distance(x, y)
    relief = shape.relief(x, y, distance, 0.01)
    inside = distance < -0.02
    right, up, bulge = (np.broadcast_to(a, distance.shape) for a in (relief.right, relief.up, relief.bulge))
    assert np.isfinite(right).all()
    assert np.isfinite(up).all()
    assert 0 <= bulge[inside].min() <= bulge[inside].max() <= 1
    assert np.hypot(right, up)[inside].max() < 1.5
    assert (np.hypot(right, up)[inside] <= 1.001).mean() > 0.97
