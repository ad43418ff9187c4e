from __future__ import annotations

import io
import json
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from sluice.preprocess.perception.geometry import (
    Geometry,
    apply_to_image,
    apply_to_labels,
    apply_to_points,
    plan_geometry,
)


def test_center_crops_a_square_of_the_shorter_side() -> None:
    assert plan_geometry((640, 480), 512) == Geometry(1, (640, 480), (683, 512), (85, 0, 512, 512))
    assert plan_geometry((480, 640), 512).crop == (0, 85, 512, 512)


def test_none_keeps_the_aspect_down_to_multiples() -> None:
    geometry = plan_geometry((640, 480), 512, "none", multiple_of=64)
    assert geometry.resized == (683, 512)
    assert geometry.crop == (21, 0, 640, 512)


def test_sideways_originals_are_measured_upright() -> None:
    geometry = plan_geometry((640, 480), 240, orientation=6)
    assert geometry.upright == (480, 640)
    assert geometry.resized == (240, 320)
    assert geometry.stored == (320, 240)


@pytest.mark.parametrize("size", [(1, 5000), (333, 500), (501, 500), (3, 2)])
@pytest.mark.parametrize("crop", ["center", "none"])
def test_the_crop_lies_inside(size: tuple[int, int], crop: Any) -> None:
    geometry = plan_geometry(size, 64, crop)
    x, y, width, height = geometry.crop
    assert x >= 0
    assert y >= 0
    assert x + width <= geometry.resized[0]
    assert y + height <= geometry.resized[1]
    assert min(width, height) == 64


def test_it_survives_json() -> None:
    geometry = plan_geometry((640, 480), 512, orientation=8)
    assert Geometry.from_json(json.loads(json.dumps(geometry.to_json()))) == geometry
    assert geometry.to_json() == {
        "orientation": 8,
        "original": [640, 480],
        "resized": [512, 683],
        "crop": [0, 85, 512, 512],
    }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_turns_upright_as_pillow_does(orientation: int) -> None:
    stored = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(stored).save(stream, "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(stream)))
    whole = Geometry(orientation, (32, 24), (upright.shape[1], upright.shape[0]), (0, 0, *upright.shape[1::-1]))
    assert (apply_to_image(stored, whole) == upright).all()
    assert (apply_to_labels(stored[..., 0], whole) == upright[..., 0]).all()


def test_shrinking_averages_and_growing_keeps_flat_areas_flat() -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.ptp(apply_to_image(checks, plan_geometry((64, 64), 32))) == 0
    assert (apply_to_image(np.full((32, 32, 3), 77, np.uint8), plan_geometry((32, 32), 64)) == 77).all()


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_labels_follow_the_image_at_any_scale(orientation: int, scale: float) -> None:
    labels = np.zeros((120, 160), np.uint16)
    cv2.circle(labels, (100, 40), 25, 3, -1)
    cv2.rectangle(labels, (10, 70), (60, 110), 500, -1)
    geometry = plan_geometry((160, 120), 96, orientation=orientation)
    expected = apply_to_image((labels == 3).astype(np.uint8) * 255, geometry) > 127
    other = cv2.resize(labels, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)

    found = apply_to_labels(other, geometry)

    assert found.shape == (96, 96)
    assert found.dtype == np.uint16
    assert set(np.unique(found)) <= {0, 3, 500}
    assert ((found == 3) == expected).mean() > 0.99


def test_labels_that_are_upright_already_are_not_turned() -> None:
    geometry = plan_geometry((160, 120), 96, orientation=6)
    upright = np.tile(np.arange(120, dtype=np.uint16), (160, 1))
    assert (np.diff(apply_to_labels(upright, geometry)[0].astype(int)) >= 0).all()


def test_labels_of_another_image_are_refused() -> None:
    with pytest.raises(ValueError, match="100 x 100 does not belong to an image of 160 x 120"):
        apply_to_labels(np.zeros((100, 100), np.uint16), plan_geometry((160, 120), 96))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_lie_where_their_pixels_do(orientation: int) -> None:
    stored = np.zeros((60, 90), np.uint8)
    stored[20:24, 50:54] = 255
    geometry = plan_geometry((90, 60), 120, "none", orientation)
    rows, columns = np.nonzero(apply_to_image(stored, geometry) > 127)
    (point,) = apply_to_points(np.array([[51.5, 21.5]]), geometry)
    assert point == pytest.approx((columns.mean(), rows.mean()), abs=0.1)
