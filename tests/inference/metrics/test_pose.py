from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.pose import COCO_SIGMAS, OPENPOSE_SIGMAS, oks, pck
from sluice.preprocess.perception.skeleton import openpose_order


def person(points: int = 17) -> Tensor:
    drawn = torch.rand(1, points, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return drawn * 100 + 1


def moved(points: Tensor, by: Tensor) -> Tensor:
    """Each to the right by so many pixels."""
    elsewhere = points.clone()
    elsewhere[..., 0] += by
    return elsewhere


def test_points_within_the_share_of_the_length_are_found() -> None:
    by = torch.tensor([0.0, 9.0, 10.0, 10.1])
    wanted = person(4)
    assert pck(moved(wanted, by), wanted, torch.tensor([50.0])).tolist() == [0.75]
    assert pck(moved(wanted, by), wanted, torch.tensor([50.0]), share=0.5).tolist() == [1]


def test_points_that_were_not_found_are_wrong_and_unwanted_ones_do_not_count() -> None:
    wanted, found = person(4), person(4)
    found[0, 0, 2], wanted[0, 3, 2] = 0, 0
    area = torch.tensor([400.0])
    assert pck(found, wanted, torch.tensor([50.0])).tolist() == pytest.approx([2 / 3])
    assert oks(found, wanted, area, COCO_SIGMAS[:4]).tolist() == pytest.approx([2 / 3])


def test_a_point_its_own_half_likeness_away_is_half_right() -> None:
    area = torch.tensor([900.0])
    half = 30 * 2 * torch.tensor(COCO_SIGMAS, dtype=torch.float64) * math.sqrt(2 * math.log(2))
    wanted = person()
    assert oks(moved(wanted, half), wanted, area).tolist() == pytest.approx([0.5])
    assert oks(wanted, wanted, area).tolist() == [1]


def test_everybody_is_compared_with_everybody() -> None:
    wanted = torch.cat([person(), moved(person(), torch.tensor(500.0))])
    likeness = oks(wanted.flip(0)[:, None], wanted, torch.tensor([900.0, 900.0]))
    torch.testing.assert_close(likeness, torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64))


def test_the_sigmas_of_the_records_points_are_cocos_in_their_order() -> None:
    rows = torch.zeros(17, 3)
    rows[:, 0], rows[:, 2] = torch.tensor(COCO_SIGMAS), 1
    assert openpose_order(rows.numpy(), 0.5).points[:, 0].tolist() == pytest.approx(list(OPENPOSE_SIGMAS))


def test_a_figure_of_which_nothing_is_wanted_is_an_error() -> None:
    nothing = torch.zeros(1, 17, 3)
    with pytest.raises(Unmeasurable, match="OKS: there are no wanted points in 0 of 1"):
        oks(person(), nothing, torch.tensor([900.0]))
    with pytest.raises(Unmeasurable, match="PCK: found 0 of 1 hold NaN"):
        pck(person() * torch.nan, person(), torch.tensor([50.0]))


def test_other_numbers_of_points_and_figures_without_size_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="figures have 18 points, but there are 17 sigmas"):
        oks(person(18), person(18), torch.tensor([900.0]))
    with pytest.raises(Unmeasurable, match="as many points must be found as are wanted"):
        pck(person(16), person(17), torch.tensor([50.0]))
    with pytest.raises(Unmeasurable, match="OKS: every figure needs area above 0"):
        oks(person(), person(), torch.tensor([0.0]))
