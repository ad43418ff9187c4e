from __future__ import annotations

import numpy as np
import pytest

from sluice.preprocess.perception.inpaint import compose, hole


@pytest.mark.parametrize(("size", "side"), [((512, 512), 50), ((1024, 1536), 100), ((256, 512), 25), ((4, 4), 1)])
def test_a_point_grows_into_a_square_scaled_with_the_short_side(size: tuple[int, int], side: int) -> None:
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 2, size[1] // 2] = 255
    grown = hole(mask)
    assert grown.sum() == side * side
    assert grown[size[0] // 2, size[1] // 2]


def test_the_threshold_is_128() -> None:
    assert hole(np.array([[0, 127, 128, 255]], np.uint8), dilation=1).tolist() == [[False, False, True, True]]


def test_outside_the_hole_the_image_is_untouched() -> None:
    image, painted = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 9, np.uint8)
    where = np.array([[True, False], [False, True]])
    assert compose(image, painted, where)[..., 0].tolist() == [[9, 0], [0, 9]]
