from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.lpips import lpips
from sluice.preprocess.perception.vgg import ALEXNET, Lpips, Trunk


@pytest.fixture(scope="module")
def network() -> Lpips:
    torch.manual_seed(0)
    return Lpips(Trunk(ALEXNET, (4, 4, 5, 5, 5)))


def pictures(seed: int) -> Tensor:
    return torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_it_is_the_networks_distance_a_number_a_picture(network: Lpips) -> None:
    shown, truth = pictures(0), pictures(1)
    found = lpips(network, shown, truth)
    assert found.shape == (2,)
    assert found.min() > 0
    torch.testing.assert_close(found[:1], network(shown[:1], truth[:1]).detach())
    assert lpips(network, shown, shown).tolist() == [0, 0]


def test_values_beyond_the_range_count_as_its_ends(network: Lpips) -> None:
    white = torch.ones(1, 3, 32, 32)
    assert lpips(network, 3 * white, white).tolist() == [0]


def test_small_pictures_mixed_sizes_and_nan_are_errors(network: Lpips) -> None:
    shown = pictures(0)
    with pytest.raises(Unmeasurable, match=r"LPIPS takes pictures of at least 32 .* \(31, 40\)"):
        lpips(network, shown[:, :, 1:], shown[:, :, 1:])
    with pytest.raises(Unmeasurable, match="one size"):
        lpips(network, shown, shown[..., 1:])
    with pytest.raises(Unmeasurable, match="truths 0, 1 of 2"):
        lpips(network, shown, shown * torch.nan)
