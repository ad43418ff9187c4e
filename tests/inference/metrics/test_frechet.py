from __future__ import annotations

import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.frechet import frechet_distance


def features(count: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(count, width, generator=generator, dtype=torch.float64) @ mix


def test_a_set_is_no_distance_from_itself_whatever_its_order() -> None:
    some = features(50, 8, 0)
    assert frechet_distance(some, some.flip(0)) == pytest.approx(0, abs=1e-8)


def test_a_shift_counts_by_its_square() -> None:
    some = features(50, 8, 0)
    shift = torch.arange(8)
    assert frechet_distance(some, some + shift) == pytest.approx(float(shift.square().sum()), rel=1e-8)


def test_a_set_twice_as_wide_is_its_own_spread_away() -> None:
    some = features(50, 8, 0)
    centred = some - some.mean(dim=0)
    assert frechet_distance(centred, 2 * centred) == pytest.approx(float(centred.T.cov().trace()), rel=1e-8)


@pytest.mark.parametrize("count", [200, 5])
def test_it_is_the_formula_with_scipys_square_root_even_of_singular_spreads(count: int) -> None:
    one, other = features(count, 8, 1), features(count + 3, 8, 2)
    spreads = [some.T.cov().numpy() for some in (one, other)]
    shared = sqrtm(spreads[0] @ spreads[1]).real.trace()
    apart = float((one.mean(dim=0) - other.mean(dim=0)).square().sum())
    wanted = apart + spreads[0].trace() + spreads[1].trace() - 2 * shared
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-3)


def test_one_picture_is_no_set() -> None:
    with pytest.raises(Unmeasurable, match="needs at least 2 pictures_of_one; there are 1"):
        frechet_distance(features(1, 3, 0), features(4, 3, 0))


def test_features_of_other_networks_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="Fréchet distance"):
        frechet_distance(features(4, 3, 0), features(4, 5, 0))
    with pytest.raises(Unmeasurable, match="one 0, 1, 2, 3 of 4 hold NaN"):
        frechet_distance(features(4, 3, 0) * torch.nan, features(4, 3, 0))
    with pytest.raises(Unmeasurable, match=r"Fréchet distance: one must be \(n, width\), and are \(4,\)"):
        frechet_distance(features(4, 3, 0)[:, 0], features(4, 3, 0)[:, 0])
