from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.ssim import ssim


def test_of_two_plain_pictures_it_is_the_first_factor_alone() -> None:
    one, other = torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), -0.25)
    steady = 0.01**2
    wanted = (2 * 0.75 * 0.375 + steady) / (0.75**2 + 0.375**2 + steady)
    assert ssim(one, other).tolist() == pytest.approx([wanted])


def test_it_is_the_papers_formula_with_its_window() -> None:
    one, other = torch.rand(2, 1, 1, 24, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values, 1.5, truncate=3.5))

    x, y = ((side[0, 0].numpy() + 1) / 2 for side in (one, other))
    steady, steady_too = 0.01**2, 0.03**2
    covariance = mean(x * y) - mean(x) * mean(y)
    spread = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    light = (2 * mean(x) * mean(y) + steady) / (mean(x) ** 2 + mean(y) ** 2 + steady)
    wanted = (light * (2 * covariance + steady_too) / (spread + steady_too))[5:-5, 5:-5].mean()
    assert ssim(one, other).tolist() == pytest.approx([wanted])


def test_equal_pictures_have_1_and_a_negative_less_than_0() -> None:
    shown = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert ssim(3 * shown.sign(), shown.sign()).tolist() == pytest.approx([1, 1])
    assert ssim(-shown, shown).max() < 0


def test_small_pictures_mixed_sizes_and_nan_are_errors() -> None:
    shown = torch.zeros(1, 3, 16, 16)
    with pytest.raises(Unmeasurable, match=r"SSIM takes pictures of at least 11 .* \(10, 16\)"):
        ssim(shown[:, :, :10], shown[:, :, :10])
    with pytest.raises(Unmeasurable, match="one size"):
        ssim(shown, shown[..., 1:])
    with pytest.raises(Unmeasurable, match="pictures 0 of 1"):
        ssim(shown * torch.nan, shown)
