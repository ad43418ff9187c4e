from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sluice.preprocess.perception.onnx import OnnxNetwork
from sluice.preprocess.perception.u2net import salience, salient_mask
from sluice.preprocess.record import Array


def _red_disc(height: int, width: int) -> tuple[Array, Array]:
    y, x = np.mgrid[:height, :width]
    disc = (x - width * 0.4) ** 2 + (y - height * 0.5) ** 2 < (0.3 * min(height, width)) ** 2
    image = np.full((height, width, 3), 90, np.uint8)
    image[disc] = [255, 30, 30]
    return image, disc


@pytest.mark.parametrize("size", [(512, 512), (240, 700), (33, 20)])
def test_the_mask_is_the_object_at_the_images_size(tiny_u2net: Path, size: tuple[int, int]) -> None:
    image, disc = _red_disc(*size)
    mask = salient_mask(OnnxNetwork(tiny_u2net), image)
    assert mask.shape == size
    assert set(np.unique(mask)) == {0, 255}
    assert ((mask > 0) != disc).mean() < 0.03


def test_the_soft_map_is_resized_before_the_threshold(tiny_u2net: Path) -> None:
    """A thresholded 320-pixel map blown up four times has steps of four pixels; a soft one is smooth."""
    y, x = np.mgrid[:1280, :1280]
    image = np.full((1280, 1280, 3), 90, np.uint8)
    image[x + 7 * y < 4000] = [255, 30, 30]
    widths = (salient_mask(OnnxNetwork(tiny_u2net), image)[420:500] > 0).sum(axis=1)
    assert len(set(widths % 4)) > 1


def test_the_threshold_decides(tiny_u2net: Path) -> None:
    image, _ = _red_disc(64, 64)
    soft = salience(OnnxNetwork(tiny_u2net), image)
    assert 0 <= soft.min() < soft.max() <= 1
    np.testing.assert_array_equal(salient_mask(OnnxNetwork(tiny_u2net), image, 0.2) > 0, soft >= 0.2)


@pytest.mark.parametrize(("colour", "inside"), [((250, 0, 0), 255), ((0, 250, 0), 0), ((0, 0, 0), 0)])
def test_everything_and_nothing_are_kept(tiny_u2net: Path, colour: tuple[int, int, int], inside: int) -> None:
    mask = salient_mask(OnnxNetwork(tiny_u2net), np.full((40, 50, 3), colour, np.uint8))
    assert (mask == inside).all()


@pytest.mark.weights
def test_the_published_network_finds_the_cup(real_weights: Callable[[str], Path]) -> None:
    from skimage import data

    mask = salient_mask(OnnxNetwork(real_weights("u2net-small")), data.coffee())
    assert mask[200, 250] == 255
    assert not mask[:40, :100].any()
    assert not mask[-40:, -100:].any()
    assert 0.3 < (mask > 0).mean() < 0.6
