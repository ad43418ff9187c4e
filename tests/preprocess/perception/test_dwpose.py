from pathlib import Path

import numpy as np
import pytest

from sluice.preprocess.perception.dwpose import DwPose
from sluice.preprocess.perception.unusable_weights import UnusableWeights

# The 640 x 640 detector sees a 320 x 240 image doubled; centre (200, 320), size (96, 256) is this box there.
BOX = np.array([76.0, 96, 48, 128])


def test_boxes_are_decoded_and_the_duplicate_and_the_car_dropped(fixed_dwpose: Path) -> None:
    boxes = DwPose(fixed_dwpose).boxes(np.zeros((240, 320, 3), np.uint8))
    np.testing.assert_allclose(boxes, [BOX], atol=1e-3)


def test_points_come_back_from_the_crop_to_the_image(fixed_dwpose: Path) -> None:
    """The crop is the box with a quarter more around it, at the scale at which 288 x 384 holds it."""
    (person,) = DwPose(fixed_dwpose)(np.zeros((240, 320, 3), np.uint8))
    scale = min(288 / (48 * 1.25), 384 / (128 * 1.25))
    nose = (np.array([20, 40]) - [144, 192]) / scale + [100, 160]
    left_eye = (np.array([21, 42]) - [144, 192]) / scale + [100, 160]
    np.testing.assert_allclose(person.points[0], [*nose, 0.9], rtol=1e-6)
    np.testing.assert_allclose(person.points[15], [*left_eye, 0.9], rtol=1e-6)
    assert person.seen.all()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableWeights, match=r"lacks 'yolox_l\.onnx'"):
        DwPose(tmp_path)
