"""The stream of records: each once an epoch, the same for any number of processes, found again at any position."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from sluice.training.order import BLOCK, Mixture, Order, permutation, share

COUNTS = (5, 1, 7, 3, 4, 6, 2)
KNOWN = [2, 4, 0, 5, 1, 6, 3, 7]


def records(order: Order, epoch: int) -> list[tuple[int, int]]:
    places = [order.place(n) for n in range(epoch * order.total, (epoch + 1) * order.total)]
    assert {place.epoch for place in places} == {epoch}
    return [(place.shard, place.row) for place in places]


@pytest.mark.parametrize("window", [1, 3, 7, 20])
def test_every_record_comes_once_an_epoch(window: int) -> None:
    order = Order(COUNTS, seed=0, window=window)
    every = {(shard, row) for shard, count in enumerate(COUNTS) for row in range(count)}
    for epoch in range(4):
        seen = records(order, epoch)
        assert len(seen) == len(every)
        assert set(seen) == every


def test_epochs_and_seeds_differ_and_repeat() -> None:
    order = Order(COUNTS, seed=0)
    assert records(order, 0) != records(order, 1)
    assert records(order, 0) != records(Order(COUNTS, seed=1), 0)
    assert records(order, 1) == records(Order(COUNTS, seed=0), 1)


def test_a_window_holds_few_shards_at_once() -> None:
    order = Order(COUNTS, seed=3, window=2)
    places = [order.place(n) for n in range(order.total)]
    assert [place.window for place in places] == sorted(place.window for place in places)
    for window in range(4):
        assert {p.shard for p in places if p.window == window} == set(order.shards(0, window))


def test_records_of_a_window_are_mixed() -> None:
    order = Order((100, 100), seed=0, window=2)
    shards = [order.place(n).shard for n in range(200)]
    assert 60 < sum(a != b for a, b in pairwise(shards)) < 140


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_processes_part_a_batch_among_them(processes: int) -> None:
    shares = [share(5, 12, rank, processes) for rank in range(processes)]
    assert sorted(n for own in shares for n in own) == list(range(60, 72))
    assert {len(own) for own in shares} == {12 // processes}


def test_a_mixture_keeps_to_its_weights_and_misses_no_record() -> None:
    mixture = Mixture((3.0, 1.0, 0.5), seed=0)
    places = [mixture.place(n) for n in range(3 * BLOCK)]
    counts = Counter(number for number, _ in places)
    for number, weight in enumerate(mixture.weights):
        assert abs(counts[number] - 3 * BLOCK * weight / 4.5) <= 1
        assert [at for own, at in places if own == number] == list(range(counts[number]))


def test_a_mixture_is_mixed_and_repeats() -> None:
    first, second = (Mixture((1.0, 1.0), seed=seed) for seed in (0, 1))
    assert [first.place(n) for n in range(50)] == [Mixture((1.0, 1.0), seed=0).place(n) for n in range(50)]
    assert [first.place(n) for n in range(50)] != [second.place(n) for n in range(50)]
    assert len({first.place(n)[0] for n in range(20)}) == 2


def test_a_permutation_is_known() -> None:
    """Held by its numbers: another order would change every training that is resumed."""
    assert permutation(8, 0, 0, "shards").tolist() == KNOWN
    assert sorted(permutation(1000, 1, 2, "x").tolist()) == list(range(1000))
    assert np.array_equal(permutation(0, 0, 0, "x"), [])
