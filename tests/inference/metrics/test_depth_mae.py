from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.depth_mae import depth_mae

DEPTHS = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_unit_and_offset_do_not_count() -> None:
    assert depth_mae(300 * DEPTHS + 7, DEPTHS).abs().max() < 1e-12


def test_the_opposite_of_a_ramp_is_half_off() -> None:
    ramp = torch.linspace(2, 4, 5, dtype=torch.float64).expand(1, 3, 5)
    # 1, 1/2, 0, 1/2, 1 along each row.
    assert depth_mae(-ramp, ramp).tolist() == pytest.approx([0.6])


def test_one_depth_everywhere_is_all_near_or_all_far() -> None:
    flat = torch.full((1, 2, 2), 3.0)
    halves = torch.tensor([[[0.0, 8.0], [8.0, 8.0]]])
    assert depth_mae(flat, halves).tolist() == [0.75]


def test_the_extremes_are_of_each_map_not_of_the_batch() -> None:
    scaled = DEPTHS * torch.tensor([1.0, 50.0]).reshape(2, 1, 1)
    assert depth_mae(scaled, DEPTHS).abs().max() < 1e-12


def test_nan_is_an_error() -> None:
    with pytest.raises(Unmeasurable, match="depth MAE: depths 0 of 2"):
        depth_mae(DEPTHS * torch.tensor([torch.nan, 1]).reshape(2, 1, 1), DEPTHS)
