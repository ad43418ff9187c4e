"""In which order training sees records: a function of the seed alone, so that it goes on anywhere and for any number of
processes.

Epochs form one endless stream, nothing is dropped between them. In each, shards are permuted, and records are shuffled
within windows of a few shards, which is what a process holds at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

import numpy as np

from sluice.preprocess.record import Array
from sluice.preprocess.silence import random_words

BLOCK = 1000
"""Positions over which a mixture keeps to its weights, to the record."""


@dataclass(frozen=True)
class Place:
    """A record of the stream: its epoch, the window of that epoch, and where it is in the data set."""

    epoch: int
    window: int
    shard: int
    row: int


@dataclass(frozen=True)
class Order:
    """The stream of a data set's records, of which shard k has `counts[k]`; `window` is in shards."""

    counts: tuple[int, ...]
    seed: int
    window: int = 4

    @property
    def total(self) -> int:
        """Records in an epoch."""
        return sum(self.counts)

    def place(self, position: int) -> Place:
        """The record at a position of the stream, which begins at 0 and has no end."""
        epoch, within = divmod(position, self.total)
        starts = self._starts(epoch)
        window = bisect_right(starts, within) - 1
        shards = self.shards(epoch, window)
        chosen = int(self._shuffled(epoch, window)[within - starts[window]])
        ends = list(accumulate(self.counts[shard] for shard in shards))
        number = bisect_right(ends, chosen)
        return Place(epoch, window, shards[number], chosen - (ends[number] - self.counts[shards[number]]))

    def shards(self, epoch: int, window: int) -> list[int]:
        """The shards of a window of an epoch."""
        order = self._permuted(epoch)
        return order[window * self.window : (window + 1) * self.window]

    @lru_cache(maxsize=2)  # noqa: B019 - an order lives as long as its training
    def _permuted(self, epoch: int) -> list[int]:
        return [int(k) for k in permutation(len(self.counts), self.seed, epoch, "shards")]

    @lru_cache(maxsize=2)  # noqa: B019
    def _starts(self, epoch: int) -> list[int]:
        windows = -(-len(self.counts) // self.window)
        sizes = [sum(self.counts[k] for k in self.shards(epoch, window)) for window in range(windows)]
        return list(accumulate(sizes[:-1], initial=0))

    @lru_cache(maxsize=2)  # noqa: B019
    def _shuffled(self, epoch: int, window: int) -> Array:
        size = sum(self.counts[k] for k in self.shards(epoch, window))
        return permutation(size, self.seed, epoch, f"window {window}")


@dataclass(frozen=True)
class Mixture:
    """Which of several data sets, by weight, each position of a stream is taken from, and where in its own stream.

    Of every thousand positions each data set has its share, to the record, in an order of their own.
    """

    weights: tuple[float, ...]
    seed: int
    _bounds: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        total = sum(self.weights)
        object.__setattr__(self, "_bounds", tuple(accumulate((w / total for w in self.weights), initial=0.0)))

    def place(self, position: int) -> tuple[int, int]:
        """The number of the data set, and the position in its stream."""
        block, within = divmod(position, BLOCK)
        drawn = self._drawn(block)
        chosen = int(drawn[within])
        return chosen, self._before(chosen, block) + int((drawn[:within] == chosen).sum())

    def _before(self, number: int, block: int) -> int:
        """How many of a data set's records came before a block."""
        low, high = self._bounds[number : number + 2]
        return round(block * BLOCK * high) - round(block * BLOCK * low)

    @lru_cache(maxsize=2)  # noqa: B019
    def _drawn(self, block: int) -> Array:
        shares = [self._before(k, block + 1) - self._before(k, block) for k in range(len(self.weights))]
        return np.repeat(np.arange(len(shares)), shares)[permutation(BLOCK, self.seed, block, "mixture")]


def permutation(count: int, seed: int, number: int, of: str) -> Array:
    """A permutation of 0 .. count - 1 that belongs to (seed, number, of), the same on every machine."""
    return np.argsort(random_words(count, seed, number, of), kind="stable")


def share(step: int, batch: int, rank: int, processes: int) -> Sequence[int]:
    """The positions that a process has of a step's batch, every `processes`-th; all together they are the batch."""
    return range(step * batch + rank, (step + 1) * batch, processes)
