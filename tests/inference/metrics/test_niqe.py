from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import gennorm, halfnorm
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.niqe import Pristine, asymmetric_gaussian, brightness, features_of, niqe, normalised
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

AXIS = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
WINDOW = np.outer(AXIS, AXIS) / AXIS.sum() ** 2


def picture(seed: int) -> Tensor:
    """Smooth hills under fine noise."""
    drawn = torch.rand(1, 3, 192, 288, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 1.4 * torch.nn.functional.avg_pool2d(drawn, 9, 1, 4) + 0.6 * drawn - 1


@pytest.fixture(scope="module")
def features() -> Array:
    return features_of(brightness(picture(0))[0], WINDOW)


@pytest.mark.parametrize("shape", [0.8, 2.0, 4.0])
def test_the_shape_and_width_of_a_generalised_gaussian_are_found(shape: float) -> None:
    values = gennorm.rvs(shape, scale=3, size=(2, 200, 200), random_state=0)
    found = asymmetric_gaussian(values)
    for number, wanted in zip(found, (shape, 3, 3), strict=True):
        assert number == pytest.approx([wanted, wanted], rel=0.1)


def test_two_halves_of_different_widths_are_told_apart() -> None:
    drawn = halfnorm.rvs(size=(1, 400, 400), random_state=0)
    values = np.concatenate([-drawn[:, :100], 3 * drawn[:, 100:]], axis=1)
    _, left, right = asymmetric_gaussian(values)
    assert right / left == pytest.approx([3], rel=0.05)
    assert np.isnan(asymmetric_gaussian(np.abs(values))[1]).all()


def test_grey_values_are_those_of_a_file() -> None:
    levels = torch.tensor([[10.0, 20, 30], [255, 255, 255], [1, 0, 0]])
    seen = brightness((levels / 127.5 - 1).T[None, :, None])
    # 0.2989 * 10 + 0.587 * 20 + 0.114 * 30 = 18.1; the weights sum up to 0.9999.
    assert seen.flatten().tolist() == [18, 255, 0]


def test_normalising_removes_light_and_most_of_contrast() -> None:
    values = brightness(picture(0))[0].numpy()
    np.testing.assert_allclose(normalised(values + 40, WINDOW), normalised(values, WINDOW), atol=1e-8)
    assert not normalised(np.full((20, 20), 90.0), WINDOW).any()


def test_a_picture_is_no_distance_from_its_own_blocks(features: Array) -> None:
    assert features.shape == (6, 36)
    own = Pristine(features.mean(axis=0), np.cov(features, rowvar=False), WINDOW)
    assert niqe(picture(0), own).tolist() == [0]
    assert niqe(picture(1), own).item() > 0.1


def test_the_distance_is_the_formula_for_a_shifted_mean(features: Array) -> None:
    spread = np.eye(36) * 4 - np.cov(features, rowvar=False)
    shift = np.zeros(36)
    shift[7] = 3
    # Both covariances together are four times one, of which half counts: 3 / sqrt(2).
    moved = Pristine(features.mean(axis=0) + shift, spread, WINDOW)
    assert niqe(picture(0), moved).tolist() == pytest.approx([3 / np.sqrt(2)])


def test_small_plain_and_nan_pictures_are_errors(features: Array) -> None:
    own = Pristine(features.mean(axis=0), np.cov(features, rowvar=False), WINDOW)
    with pytest.raises(Unmeasurable, match=r"NIQE takes pictures of at least two blocks .* \(191, 100\)"):
        niqe(torch.zeros(1, 3, 191, 100), own)
    with pytest.raises(Unmeasurable, match="fewer than two blocks of a picture have any texture"):
        niqe(torch.zeros(1, 3, 192, 192), own)
    with pytest.raises(Unmeasurable, match="pictures 0 of 1"):
        niqe(torch.full((1, 3, 192, 192), torch.nan), own)


def test_parameters_are_read_and_another_file_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mu_pris_param=np.ones((1, 36)), cov_pris_param=np.eye(36), gaussian_window=WINDOW)
    assert Pristine.load(tmp_path / "a.npz").mean.shape == (36,)
    np.savez(tmp_path / "b.npz", other=np.ones(3))
    with pytest.raises(UnusableWeights, match=r"b\.npz' does not hold NIQE's parameters"):
        Pristine.load(tmp_path / "b.npz")
