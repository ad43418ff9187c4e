from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from sluice.preprocess.perception.migan import MiGan


def field(number: int, value: bytes | int) -> bytes:
    """One protobuf field: a small integer or a length and its bytes."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value) & 127 | 128, len(value) >> 7]) + value


def tensor(name: str, channels: int) -> bytes:
    sizes = [field(1, 1), field(1, channels), field(2, b"height"), field(2, b"width")]
    shape = b"".join(field(1, size) for size in sizes)
    return field(1, name.encode()) + field(2, field(1, field(1, 2) + field(2, shape)))


@pytest.fixture
def blackener(tmp_path: Path) -> MiGan:
    """A real ONNX network with MI-GAN's inputs and outputs, `result = image & mask`: what is not kept turns black."""
    node = field(1, b"image") + field(1, b"mask") + field(2, b"result") + field(4, b"BitwiseAnd")
    ends = field(11, tensor("image", 3)) + field(11, tensor("mask", 1)) + field(12, tensor("result", 3))
    model = field(1, 8) + field(8, field(2, 18)) + field(7, field(1, node) + field(2, b"graph") + ends)
    (tmp_path / "network.onnx").write_bytes(model)
    return MiGan(tmp_path / "network.onnx")


def test_the_hole_is_painted_and_nothing_else(blackener: MiGan) -> None:
    image = np.random.default_rng(0).integers(1, 256, (20, 30, 3), np.uint8)
    where = np.zeros((20, 30), bool)
    where[5:10, 7:20] = True
    np.testing.assert_array_equal(blackener(image, where), np.where(where[..., None], 0, image))


@pytest.mark.weights
def test_the_real_network_fills_a_small_hole_plausibly(real_weights: Callable[[str], Path]) -> None:
    network = MiGan(real_weights("mi-gan"))
    image = np.ascontiguousarray(data.rocket()[:400, :600])
    where = np.zeros(image.shape[:2], bool)
    where[40:80, 40:90] = True
    painted = network(image, where)
    spoilt = np.where(where[..., None], np.array([255, 0, 0], np.uint8), image)
    np.testing.assert_array_equal(network(spoilt, where), painted)
    assert np.abs(painted[where].astype(int) - image[where]).mean() < 20
