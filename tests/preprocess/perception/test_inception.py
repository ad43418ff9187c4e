from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import nn

from sluice.preprocess.perception.inception import SIDE, Inception, legacy_bilinear
from sluice.preprocess.perception.unusable_weights import UnusableWeights


@pytest.fixture
def network(tmp_path: Path) -> Inception:
    """As the published file: 299 x 299 pixels to a row of features; here the picture itself at 13 x 13 places."""
    body = nn.Sequential(nn.AvgPool2d(1, stride=24), nn.Flatten())
    torch.jit.script(body).save(str(tmp_path / "inception.pt"))  # type: ignore[no-untyped-call]
    return Inception(tmp_path / "inception.pt")


def test_pictures_reach_the_network_in_256_steps_between_minus_1_and_1(network: Inception) -> None:
    shown = torch.tensor([-3.0, -1.0, 0.001, 1.0]).reshape(4, 1, 1, 1).expand(4, 3, 8, 8)
    found = network(shown)
    assert found.shape == (4, 3 * 13 * 13)
    assert found[:, 0].tolist() == pytest.approx([-1, -1, 0, 127 / 128])


@pytest.mark.parametrize("size", [(64, 40), (400, 299)])
def test_a_pixel_lies_where_tensorflow_1_looked_for_it(size: tuple[int, int]) -> None:
    shown = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    places = np.meshgrid(*(np.arange(SIDE) * length / SIDE for length in size), indexing="ij")
    for plane, found in zip(shown[0], legacy_bilinear(shown, SIDE)[0], strict=True):
        np.testing.assert_allclose(found, map_coordinates(plane, places, order=1, mode="nearest"), atol=1e-12)


def test_a_picture_of_that_size_is_not_resampled() -> None:
    shown = torch.rand(1, 3, SIDE, SIDE)
    assert torch.equal(legacy_bilinear(shown, SIDE), shown)


def test_another_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "inception.pt").write_bytes(b"no such thing")
    with pytest.raises(UnusableWeights, match=r"inception\.pt' is not TorchScript .* pull the model 'inception-fid'"):
        Inception(tmp_path / "inception.pt")


@pytest.mark.weights
def test_the_published_network_finds_a_picture_nearer_to_its_blur_than_to_another(
    real_weights: Callable[[str], Path],
) -> None:
    from skimage import data

    network = Inception(real_weights("inception-fid"))
    crops = [data.astronaut()[100:228, 150:278], data.coffee()[100:228, 200:328]]
    shown = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 127.5 - 1
    blurred = nn.functional.avg_pool2d(shown[:1], 3, 1, 1)
    own, other, soft = network(torch.cat([shown, blurred]))
    assert own.shape == (2048,)
    assert own.min() >= 0
    assert torch.dist(own, soft) < torch.dist(own, other)
