from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel

from sluice.inference.metrics import kid as module
from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.kid import kid


def features(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_it_is_the_unbiased_mmd_of_the_cubic_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = features(9, 0), features(12, 1, 0.5)
    kernels = [polynomial_kernel(a, b, degree=3, coef0=1) for a, b in ((one, one), (other, other), (one, other))]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2]]
    assert kid(one, other) == pytest.approx(sum(within) - 2 * kernels[2].mean())
    monkeypatch.setattr(module, "AT_ONCE", 4)
    assert kid(one, other) == pytest.approx(sum(within) - 2 * kernels[2].mean())


def test_of_one_population_it_is_zero_in_the_mean_whatever_the_number() -> None:
    found = [kid(features(10, 2 * seed), features(10, 2 * seed + 1)) for seed in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0 < kid(features(50, 0), features(50, 1, 1.0))


def test_a_single_picture_other_widths_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="KID needs at least 2 made_pictures; there are 1"):
        kid(features(1, 0), features(5, 0))
    with pytest.raises(Unmeasurable, match="KID"):
        kid(features(5, 0)[:, :3], features(5, 0))
    with pytest.raises(Unmeasurable, match="true 0, 1"):
        kid(features(2, 0), features(2, 0) * torch.nan)
