import numpy as np
import pytest

from sluice.preprocess.perception.letterbox import letterbox


@pytest.mark.parametrize("size", [(300, 500), (500, 300), (20, 30), (7, 1000), (432, 432)])
def test_aspect_is_kept_and_the_rest_is_grey(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    square, scales = letterbox(image, 432, 127)
    height, width = (np.rint(np.array(size) * scales[::-1])).astype(int)
    assert square.shape == (432, 432, 3)
    assert max(height, width) == 432
    assert abs(width / height - size[1] / size[0]) <= 0.5 * size[1] / size[0] / min(height, width) + 1e-9
    assert (square[:height, :width] == 200).all()
    assert (square[height:] == 127).all()
    assert (square[:, width:] == 127).all()


def test_a_mark_lies_where_the_scales_say() -> None:
    image = np.zeros((300, 500, 3), np.uint8)
    image[200:204, 400:404] = 255
    square, scales = letterbox(image, 432, 0)
    y, x = (indices.mean() for indices in np.nonzero(square[..., 0] > 100))
    assert ((np.array([x, y]) + 0.5) / scales - 0.5) == pytest.approx([401.5, 201.5], abs=0.6)
