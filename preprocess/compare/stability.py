"""The population stability index: how far a quantity's distribution moved between two samples, and by chance alone.

Over bins with shares p before and q after, PSI = sum (q - p) ln(q / p), Jeffreys' symmetric divergence (An invariant
form for the prior probability in estimation problems, 1946). Over 0.25 is commonly read as another distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.preprocess.record import Array

DRIFTED = 0.25
PRIOR = 0.5
"""Added to every bin (Jeffreys' prior), so that what came for the first time counts for much and not for everything."""
CERTAINTY = 0.999
PERCENTILES, DECILE = 100, 10


def stability(before: Mapping[Any, int], after: Mapping[Any, int]) -> float:
    """The index of two tallies of the same bins, 0 to infinity; a bin that one of them lacks is empty there."""
    p, q = _counts(before, after)
    if np.array_equal(p, q) or not p.any() or not q.any():
        return 0.0
    p, q = ((counts + PRIOR) / (counts + PRIOR).sum() for counts in (p, q))
    return float(((q - p) * np.log(q / p)).sum())


def chance(before: Mapping[Any, int], after: Mapping[Any, int], shared: int) -> float:
    """The index that two samples of one distribution stay below 999 times of 1,000.

    Of n and m independent records in k bins it is distributed as (1/n + 1/m) times a chi-squared of k - 1 degrees of
    freedom (Yurdakul and Naranjo, Statistical properties of the population stability index, 2020). `shared` of them are
    the same images, not drawn anew: the difference of two shares varies by 1/n + 1/m - 2 shared/(n m) instead. Where
    all are, any difference is of what was done to them.
    """
    from scipy.stats import chi2

    p, q = _counts(before, after)
    n, m = float(p.sum()), float(q.sum())
    if not n or not m or len(p) < 2:
        return 0.0
    factor = max(1 / n + 1 / m - 2 * shared / (n * m), 0.0)
    return float(factor * chi2.ppf(CERTAINTY, len(p) - 1))


def _counts(before: Mapping[Any, int], after: Mapping[Any, int]) -> tuple[Array, Array]:
    """Both tallies over the bins that at least one of them has."""
    bins = [bin_ for bin_ in {**before, **after} if before.get(bin_) or after.get(bin_)]
    p, q = (np.array([tally.get(bin_, 0) for bin_ in bins], np.float64) for tally in (before, after))
    return p, q


@dataclass(frozen=True)
class Bins:
    """Bins of a number by the percentiles that it had before: bin i holds what is above cut i - 1 and at most cut i.

    The first is below all that was, the last above it. `decile` maps them to the bins that the index is taken over.
    """

    cuts: Array
    decile: Array

    def place(self, values: Array) -> Array:
        """The bin of each value."""
        return np.searchsorted(self.cuts, values, side="left")

    def coarse(self, tally: Mapping[Any, int]) -> dict[Any, int]:
        """The tally of percentiles as one of deciles."""
        counts = np.array([tally.get(i, 0) for i in range(len(self.decile))])
        summed = np.bincount(self.decile, counts)
        return {i: int(count) for i, count in enumerate(summed)}


def bins_of(values: Array) -> Bins:
    """The bins of a sample, float64 (records,), finite and not empty; fewer than 102 where values repeat."""
    ranks = -(-np.arange(PERCENTILES + 1) * len(values) // PERCENTILES)  # rounded up, in whole numbers
    marks = np.sort(values)[np.maximum(ranks - 1, 0)]
    below = np.nextafter(marks[0], -np.inf)
    cuts = np.unique([below, *marks])
    deciles = np.unique([below, *marks[DECILE::DECILE]])
    return Bins(cuts, np.append(np.searchsorted(deciles, cuts, side="left"), len(deciles)))
