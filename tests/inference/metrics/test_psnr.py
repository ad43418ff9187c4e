from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.psnr import psnr


def test_a_constant_error_of_a_tenth_of_the_range_is_20_db() -> None:
    truth = torch.zeros(2, 3, 8, 8)
    assert psnr(truth + 0.2, truth).tolist() == pytest.approx([20, 20], abs=1e-4)


def test_values_beyond_the_range_count_as_its_ends() -> None:
    assert psnr(torch.full((1, 3, 4, 4), 3.0), torch.full((1, 3, 4, 4), 1.5)).isinf().all()


def test_mixed_sizes_and_nan_are_errors() -> None:
    truth = torch.zeros(2, 3, 8, 8)
    with pytest.raises(Unmeasurable, match=r"PSNR: .* one size"):
        psnr(truth[:1], truth)
    with pytest.raises(Unmeasurable, match="PSNR: pictures 0, 1 of 2"):
        psnr(truth * torch.nan, truth)
