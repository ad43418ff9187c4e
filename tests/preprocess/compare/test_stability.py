"""The index and what chance gives, on cases worked out by hand, and against draws."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from sluice.preprocess.compare.columns import Column
from sluice.preprocess.compare.stability import bins_of, chance, stability
from sluice.preprocess.compare.tally import Tally, tails_of, tally_of


def test_the_index_of_two_bins_by_hand() -> None:
    """Shares 1/4, 3/4 to 3/4, 1/4: twice (1/2) ln 3, once the prior's half a record in each bin is counted in."""
    before, after = {"a": 0, "b": 1}, {"a": 1, "b": 0}
    assert stability(before, after) == pytest.approx(math.log(3))
    assert stability(after, before) == stability(before, after)
    assert stability({"a": 10**9, "b": 3 * 10**9}, {"a": 3 * 10**9, "b": 10**9}) == pytest.approx(math.log(3))


def test_equal_shares_have_index_0_and_bins_that_nobody_is_in_change_nothing() -> None:
    assert stability({"a": 7, "b": 3}, {"b": 3, "a": 7}) == 0
    assert stability({"a": 7, "b": 3, "c": 0}, {"b": 4, "a": 6}) == stability({"a": 7, "b": 3}, {"b": 4, "a": 6})
    assert stability({"a": 7}, {}) == 0


def test_chance_by_hand() -> None:
    """Two bins: a chi-squared of one degree of freedom, whose 99.9% quantile is 10.828; three: of two, 13.816."""
    assert chance({"a": 100, "b": 100}, {"a": 50, "b": 50}, 0) == pytest.approx((1 / 200 + 1 / 100) * 10.8276, rel=1e-4)
    three = chance({"a": 100, "b": 50, "c": 50}, {"a": 100}, 100)
    assert three == pytest.approx((1 / 200 + 1 / 100 - 2 * 100 / (200 * 100)) * 13.8155, rel=1e-4)
    assert chance({"a": 5, "b": 5}, {"a": 5, "b": 5}, 10) == 0, "the same images are not drawn anew"
    assert chance({"a": 5}, {"a": 6}, 0) == 0, "one bin cannot either"


@pytest.mark.parametrize("shared", [0, 1200])
def test_draws_of_one_distribution_stay_below_chance(shared: int) -> None:
    """999 in 1,000, and half of them below the median of what is promised: it is no bound that all would stay below."""
    rng = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    over = above_half = 0
    for _ in range(2000):
        same = rng.multinomial(shared, shares)
        before, after = (dict(enumerate(same + rng.multinomial(n - shared, shares))) for n in (1500, 2000))
        ratio = stability(before, after) / chance(before, after, shared)
        over += ratio > 1
        above_half += ratio > 8.3428 / 27.8772  # chi-squared's quantiles at 9 degrees of freedom: 50% to 99.9%
    assert over <= 10
    assert above_half / 2000 == pytest.approx(0.5, abs=0.05)


def test_bins_hold_a_tenth_each_and_ends_have_their_own() -> None:
    values = np.arange(1.0, 1001.0)
    bins = bins_of(values)
    counts = bins.coarse(tally_of(Column(np.arange(1000, dtype=np.uint64), values), bins).counts)
    assert counts == {0: 0, **dict.fromkeys(range(1, 11), 100), 11: 0}
    beyond = np.array([0.0, 1.0, 1000.0, 1001.0])
    assert bins.coarse(Counter(bins.place(beyond).tolist())) == {
        0: 1, 1: 1, **dict.fromkeys(range(2, 10), 0), 10: 1, 11: 1,
    }  # fmt: skip


def test_a_constant_that_moves_either_way_is_seen() -> None:
    bins = bins_of(np.full(50, 3.0))
    assert [int(bins.place(np.array([value]))[0]) for value in (2.0, 3.0, 4.0)] == [0, 1, 2]
    fifty = {1: 50}
    for place in (0, 2):
        assert stability(fifty, {place: 50}) > 4


def test_tallies_add_up_to_the_tally_of_all() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=3000)
    bins, keys = bins_of(values[:500]), np.arange(3000, dtype=np.uint64)
    parts = Tally()
    for start in range(0, 3000, 1000):
        part = slice(start, start + 1000)
        parts.add(tally_of(Column(keys[part], values[part]), bins))
    whole = tally_of(Column(keys, values), bins)
    assert (parts.counts, parts.low, parts.high) == (whole.counts, values.min(), values.max())
    assert parts.total == pytest.approx(values.sum())
    for share in (0.05, 0.5, 0.95):
        assert whole.quantile(bins, share) == pytest.approx(np.quantile(values, share), abs=0.15)


def test_tails_are_the_least_and_the_greatest_across_shards() -> None:
    rng = np.random.default_rng(2)
    values, keys = rng.permutation(100).astype(np.float64), np.arange(100, dtype=np.uint64)
    tails = tails_of(Column(keys[:50], values[:50]), "one")
    tails.add(tails_of(Column(keys[50:], values[50:]), "two"))
    assert [extreme.value for extreme in tails.least] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [extreme.value for extreme in tails.greatest] == [99, 98, 97, 96, 95, 94, 93, 92]
    for extreme in [*tails.least, *tails.greatest]:
        assert values[extreme.key] == extreme.value
        assert extreme.shard == ("one" if extreme.key < 50 else "two")
