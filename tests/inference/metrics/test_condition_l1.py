from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.condition_l1 import condition_l1


def test_only_the_regions_pixels_count() -> None:
    wanted, extracted = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    extracted[:, :, :2] = 0.25
    region = torch.zeros(2, 4, 4)
    region[0, :2], region[1, 1:3] = 1, 1
    assert condition_l1(extracted, wanted, region).tolist() == [0.25, (0.25 + 1) / 2]


def test_channels_count_by_their_mean() -> None:
    extracted = torch.zeros(1, 3, 2, 2)
    extracted[:, 0] = 0.75
    assert condition_l1(extracted, torch.zeros(1, 3, 2, 2), torch.ones(1, 2, 2)).tolist() == [0.25]


@pytest.mark.parametrize(
    ("extracted", "region", "told"),
    [
        (torch.full((1, 1, 2, 2), 255.0), torch.ones(1, 2, 2), "from 0 to 1"),
        (torch.full((1, 1, 2, 2), torch.nan), torch.ones(1, 2, 2), "NaN"),
        (torch.zeros(1, 1, 2, 3), torch.ones(1, 2, 2), "one size"),
        (torch.zeros(1, 1, 2, 2), torch.ones(1, 2, 3), "one size"),
        (torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2), "no pixels of a region"),
    ],
)
def test_what_cannot_be_compared_is_an_error(extracted: torch.Tensor, region: torch.Tensor, told: str) -> None:
    with pytest.raises(Unmeasurable, match=f"condition L1.*{told}"):
        condition_l1(extracted, torch.zeros(1, 1, 2, 2), region)
