from __future__ import annotations

import numpy as np
import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.total_variation import silent_total_variation


def test_of_a_whole_picture_it_is_the_mean_of_all_neighbours_differences() -> None:
    shown = torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    found = silent_total_variation(shown, torch.ones(2, 7, 9))
    for picture, value in zip(shown.numpy(), found.tolist(), strict=True):
        steps = np.concatenate([np.abs(np.diff(picture, axis=axis)).mean(axis=0).ravel() for axis in (1, 2)])
        assert value == pytest.approx(steps.mean())


def test_a_chessboard_has_the_most_and_a_plain_wall_none() -> None:
    board = (torch.arange(6)[:, None] + torch.arange(6)) % 2 * 2.0 - 1
    shown = torch.stack([board, torch.ones(6, 6), 3 * board])[:, None]
    assert silent_total_variation(shown, torch.ones(3, 6, 6)).tolist() == [2, 0, 2]


def test_a_step_out_of_the_region_is_no_texture_of_it() -> None:
    shown = torch.zeros(1, 1, 4, 4)
    shown[..., 2:] = 1
    left, across = torch.zeros(1, 4, 4, dtype=torch.bool), torch.zeros(1, 4, 4, dtype=torch.bool)
    left[..., :2], across[:, 0, 1:3] = True, True
    assert silent_total_variation(shown, left).tolist() == [0]
    assert silent_total_variation(shown, across).tolist() == [1]


def test_what_has_no_neighbours_or_another_size_is_an_error() -> None:
    alone = torch.zeros(1, 4, 4)
    alone[0, 0, 0] = alone[0, 1, 1] = 1
    with pytest.raises(Unmeasurable, match="total variation: there are no two neighbouring silent pixels in 0 of 1"):
        silent_total_variation(torch.zeros(1, 3, 4, 4), alone)
    with pytest.raises(Unmeasurable, match="one size"):
        silent_total_variation(torch.zeros(1, 3, 4, 5), alone)
    with pytest.raises(Unmeasurable, match="NaN"):
        silent_total_variation(torch.full((1, 3, 4, 4), torch.nan), torch.ones(1, 4, 4))
