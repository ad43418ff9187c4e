from __future__ import annotations

import math

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.landmarks import landmark_error

WANTED = torch.tensor([[[10.0, 10.0, 1.0], [20.0, 20.0, 1.0], [30.0, 30.0, 0.0]]])


def test_it_is_the_mean_distance_of_the_wanted_points_in_picture_heights() -> None:
    found = WANTED + torch.tensor([[[3.0, 4.0, 0.0], [0.0, 15.0, 0.0], [50.0, 0.0, 0.0]]])
    assert landmark_error(found, WANTED, height=100).tolist() == pytest.approx([0.1])
    assert landmark_error(WANTED, WANTED, height=100).tolist() == [0]


def test_a_face_without_wanted_points_is_an_error() -> None:
    with pytest.raises(Unmeasurable, match="landmark error: there are no wanted points in 0 of 1"):
        landmark_error(WANTED, torch.zeros(1, 3, 3), height=100)
    with pytest.raises(Unmeasurable, match="NaN"):
        landmark_error(WANTED * torch.nan, WANTED, height=100)
    with pytest.raises(Unmeasurable, match=r"found must be \(batch, points, 3\), and are \(1, 3, 2\)"):
        landmark_error(WANTED[..., :2], WANTED[..., :2], height=100)
    for height in (-5, 0, math.nan, math.inf):
        with pytest.raises(Unmeasurable, match=r"landmark error: a picture of .* pixels in height is none"):
            landmark_error(WANTED, WANTED, height=height)  # type: ignore[arg-type]
