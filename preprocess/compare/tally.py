"""Counts by bin instead of values: what any number of records comes to, column by column."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sluice.preprocess.compare.columns import Column
from sluice.preprocess.compare.stability import Bins

KEPT = 8


class Extreme(NamedTuple):
    """A record with a value at the end of a distribution, and the shard it is in."""

    value: float
    key: int
    shard: str


@dataclass
class Tally:
    """How often each bin of a number came, or each of a text's values; of numbers also the sum and both ends."""

    counts: Counter[Hashable] = field(default_factory=Counter)
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @property
    def records(self) -> int:
        """How many were counted."""
        return self.counts.total()

    def add(self, other: Tally) -> None:
        """Count others too."""
        self.counts.update(other.counts)
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def quantile(self, bins: Bins, share: float) -> float:
        """The cut at or below which `share` of the records lie, to a hundredth of those that the bins were made of."""
        counts = np.array([self.counts[place] for place in range(len(bins.cuts) + 1)])
        place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
        return min(float(bins.cuts[place]), self.high) if place < len(bins.cuts) else self.high


@dataclass
class Tails:
    """The few least and greatest values, with their records."""

    least: list[Extreme] = field(default_factory=list)
    greatest: list[Extreme] = field(default_factory=list)

    def add(self, other: Tails) -> None:
        """Look at others too."""
        self.least = heapq.nsmallest(KEPT, [*self.least, *other.least])
        self.greatest = heapq.nlargest(KEPT, [*self.greatest, *other.greatest])


def tally_of(column: Column, bins: Bins | None) -> Tally:
    """The tally of a column; numbers need bins."""
    if bins is None:
        return Tally(Counter(column.values.tolist()))
    values, tally = column.values, Tally()
    if values.size:
        counts = np.bincount(bins.place(values))
        tally = Tally(Counter({i: int(n) for i, n in enumerate(counts) if n}), float(values.sum()))
        tally.low, tally.high = float(values.min()), float(values.max())
    return tally


def tails_of(column: Column, shard: str) -> Tails:
    """The ends of a column of numbers."""
    order = np.argsort(column.values, kind="stable")

    def extremes(places: Iterable[int]) -> list[Extreme]:
        return [Extreme(float(column.values[i]), int(column.keys[i]), shard) for i in places]

    return Tails(extremes(order[:KEPT]), extremes(order[::-1][:KEPT]))


@dataclass
class Sums:
    """By column: the records before, after, of these the ones that came, how many both have, and the ends of what is
    new or made again."""

    before: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    after: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    came: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    shared: Counter[str] = field(default_factory=Counter)
    tails: defaultdict[str, Tails] = field(default_factory=lambda: defaultdict(Tails))

    def add(self, other: Sums) -> None:
        """Count others too."""
        for own, theirs in ((self.before, other.before), (self.after, other.after), (self.came, other.came)):
            for name, tally in theirs.items():
                own[name].add(tally)
        self.shared.update(other.shared)
        for name, tails in other.tails.items():
            self.tails[name].add(tails)
