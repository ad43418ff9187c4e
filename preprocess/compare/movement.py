"""How one quantity moved between two versions: its index of stability, beside what chance alone would give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.preprocess.compare.stability import Bins, chance, stability
from sluice.preprocess.compare.tally import Sums, Tally

MOST_VALUES = 100
QUANTILES = (0.05, 0.5, 0.95)
Pair = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """A number before and after: mean, quantiles (5, 50, 95%), and the share of records at or below each of `cuts`."""

    mean: Pair
    quantiles: tuple[Pair, ...]
    cuts: tuple[float, ...]
    shares: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Movement:
    """A quantity in two versions: the index, 0 to infinity, and the one that chance alone stays below.

    `came` is the index of the records that came against all before, (index, chance), None where none came. Of a number
    there is a `spread`, of a text `counts` by value (before, after).
    """

    name: str
    records: tuple[int, int]
    index: float
    chance: float
    came: Pair | None = None
    spread: Spread | None = None
    counts: Mapping[str, tuple[int, int]] | None = None

    def over(self, threshold: float) -> bool:
        """Whether it moved further than a threshold, and further than chance explains."""
        return self.index > max(threshold, self.chance)


def movements(bins: Mapping[str, Bins], sums: Sums) -> Iterator[Movement]:
    """Of every column that both versions have; texts of more than 100 values are no categories."""
    for name in sorted(sums.before.keys() & sums.after.keys()):
        before, after, own = sums.before[name], sums.after[name], bins.get(name)
        if not before.records or not after.records:
            continue
        if own is not None:
            yield _moved(name, sums, own, spread=_spread(own, before, after))
        elif len(before.counts | after.counts) <= MOST_VALUES:
            yield _moved(name, sums, None, counts=_both(before, after))


def left_out_moved(before: Mapping[Any, int], after: Mapping[Any, int], shared: int) -> Movement:
    """The movement of what became of images: kept, or left out, by stage and kind."""
    both = {str(name): (before.get(name, 0), after.get(name, 0)) for name in sorted({**before, **after}, key=str)}
    records = sum(before.values()), sum(after.values())
    return Movement("left out by", records, stability(before, after), chance(before, after, shared), counts=both)


def _moved(
    name: str,
    sums: Sums,
    bins: Bins | None,
    spread: Spread | None = None,
    counts: Mapping[str, tuple[int, int]] | None = None,
) -> Movement:
    tallies = (sums.before[name], sums.after[name], sums.came[name])
    before, after, came = (bins.coarse(tally.counts) if bins else tally.counts for tally in tallies)
    return Movement(
        name,
        (tallies[0].records, tallies[1].records),
        stability(before, after),
        chance(before, after, sums.shared[name]),
        (stability(before, came), chance(before, came, 0)) if tallies[2].records else None,
        spread,
        counts,
    )


def _both(before: Tally, after: Tally) -> dict[str, tuple[int, int]]:
    values = sorted(before.counts.keys() | after.counts.keys(), key=str)
    return {str(value): (before.counts[value], after.counts[value]) for value in values}


def _spread(bins: Bins, before: Tally, after: Tally) -> Spread:
    quantiles = tuple((before.quantile(bins, q), after.quantile(bins, q)) for q in QUANTILES)
    ends = max(before.high, after.high)
    return Spread(
        (before.total / before.records, after.total / after.records),
        quantiles,
        (*map(float, bins.cuts), ends),
        (_rising(bins, before), _rising(bins, after)),
    )


def _rising(bins: Bins, tally: Tally) -> tuple[float, ...]:
    """The share of the records at or below each cut, and at the end all."""
    total, shares = 0, []
    for place in range(len(bins.cuts) + 1):
        total += tally.counts[place]
        shares.append(total / tally.records)
    return tuple(shares)
