from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from sluice.preprocess.perception.telea import inpaint


@pytest.mark.parametrize("method", ["telea", "navier-stokes"])
@pytest.mark.parametrize("radius", [20, 180])
def test_a_gradient_is_continued_into_the_hole(method: str, radius: int) -> None:
    across = np.linspace(0, 255, 512)
    image = np.repeat(np.broadcast_to(across, (512, 512))[..., None], 3, axis=2).astype(np.uint8)
    where = cv2.circle(np.zeros((512, 512), np.uint8), (256, 256), radius, 1, -1).astype(bool)
    spoilt = np.where(where[..., None], 255, image).astype(np.uint8)
    painted = inpaint(spoilt, where, method)  # type: ignore[arg-type]
    np.testing.assert_array_equal(painted[~where], image[~where])
    error = np.abs(painted[where].astype(int) - image[where])
    assert error.mean() < 0.15 * 255 * radius / 180 + 3


def test_nothing_of_the_object_leaks_into_the_filling() -> None:
    image = np.full((400, 400, 3), 100, np.uint8)
    where = np.zeros((400, 400), bool)
    where[50:350, 60:340] = True
    red = np.where(where[..., None], np.array([255, 0, 0], np.uint8), image)
    assert np.abs(inpaint(red, where, "navier-stokes").astype(int) - 100).max() <= 1
    np.testing.assert_array_equal(inpaint(red, where), inpaint(image, where))


def test_no_hole_and_all_hole() -> None:
    image = data.astronaut()[:32, :32]
    np.testing.assert_array_equal(inpaint(image, np.zeros((32, 32), bool)), image)
    with pytest.raises(ValueError, match="nothing to fill it from"):
        inpaint(image, np.ones((32, 32), bool))
