from __future__ import annotations

import pytest
import torch
from scipy.stats import norm

from sluice.inference.metrics.bootstrap import of_difference, of_mean, of_nearness, of_ratio
from sluice.inference.metrics.checks import Unmeasurable


def drawn(seed: int, count: int = 400) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_of_a_mean_it_is_the_normal_interval_where_that_holds() -> None:
    values = drawn(0) + 3
    found = of_mean(values, level=0.9)
    error = float(values.std()) / 20 * norm.ppf(0.95)
    assert found.estimate == pytest.approx(float(values.mean()))
    assert found.low == pytest.approx(found.estimate - error, abs=0.01)
    assert found.high == pytest.approx(found.estimate + error, abs=0.01)


def test_weights_go_into_every_sample() -> None:
    weights = drawn(1).abs() + 1
    values = (drawn(0) > 0).double()
    found = of_mean(values, weights=weights)
    mean = float((values * weights).sum() / weights.sum())
    residuals = weights * (values - mean)  # the delta method, of a ratio of two means
    error = float(residuals.std() / weights.mean()) / 20 * norm.ppf(0.975)
    assert found.estimate == pytest.approx(mean)
    assert (found.low, found.high) == pytest.approx((mean - error, mean + error), abs=0.01)
    assert of_mean(torch.ones(400), weights=weights).low == pytest.approx(1)
    with pytest.raises(Unmeasurable, match="equally many"):
        of_mean(values, weights=weights[:3])


@pytest.mark.parametrize("shape", [(), (4, 2)])
def test_what_is_no_number_of_each_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(Unmeasurable, match=r"bootstrap: values must be \(n,\), and are"):
        of_mean(torch.ones(shape))


def test_the_same_seed_gives_the_same_interval() -> None:
    assert of_mean(drawn(0), seed=5) == of_mean(drawn(0), seed=5)
    assert of_mean(drawn(0), seed=5) != of_mean(drawn(0), seed=6)


def test_what_differs_little_between_pairs_that_differ_much_is_seen() -> None:
    one = 10 * drawn(0) + 20
    other = one - 0.5 + 0.1 * drawn(1)
    paired, shuffled = of_difference(one, other), of_difference(one, other.roll(1))
    assert paired.low > 0.48
    assert paired.high < 0.52
    assert shuffled.low < 0 < shuffled.high


def test_a_ratio_of_proportional_values_is_certain() -> None:
    other = drawn(0) + 5
    found = of_ratio(1.5 * other, other)
    assert (found.low, found.estimate, found.high) == pytest.approx((1.5, 1.5, 1.5))
    unlike = of_ratio(1.5 * other.roll(7), other)
    assert unlike.low < 1.5 < unlike.high


def test_what_has_no_interval_is_an_error() -> None:
    with pytest.raises(Unmeasurable, match="at least 2 values; there are 1"):
        of_mean(torch.ones(1))
    with pytest.raises(Unmeasurable, match="hold NaN"):
        of_mean(torch.tensor([1.0, torch.nan]))
    with pytest.raises(Unmeasurable, match="equally many"):
        of_difference(drawn(0), drawn(0)[1:])
    with pytest.raises(Unmeasurable, match="may be 0; compare by the difference"):
        of_ratio(drawn(0), drawn(1))
    with pytest.raises(Unmeasurable, match="a level of 95 is none; give one between 0 and 1"):
        of_mean(drawn(0), level=95)


def test_the_nearer_mean_is_below_zero_and_surely_so_where_rows_are_many() -> None:
    generator = torch.Generator().manual_seed(0)
    target, near, far = (
        mean + 0.1 * torch.randn(200, generator=generator) for mean in torch.tensor([1.0, 1.1, 0.5]).tolist()
    )
    found = of_nearness(near, far, target)
    assert found.estimate == pytest.approx(0.1 - 0.5, abs=0.05)
    assert found.high < 0
    assert of_nearness(far, near, target).low > 0
