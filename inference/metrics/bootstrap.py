"""How sure a mean, a difference and a ratio are: percentile bootstrap, the same for the same seed.

Two methods are compared on the same prompts and seeds, row by row, and rows are drawn as pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import bootstrap
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable, alike, enough, finite, shaped

LEVEL = 0.95
RESAMPLES = 9999
AT_ONCE = 1000
MINIMUM = 2


@dataclass(frozen=True)
class Interval:
    """An estimate, and the ends of its interval."""

    estimate: float
    low: float
    high: float


def of_mean(values: Tensor, level: float = LEVEL, seed: int = 0, weights: Tensor | None = None) -> Interval:
    """Of the mean of a metric over pictures `(n,)`, each of which weighs 1, or as told `(n,)`, in every sample drawn.

    Raises Unmeasurable for fewer than two, NaN, or unequal lengths.
    """
    if weights is None:
        return _interval(lambda x, axis: np.mean(x, axis=axis), (values,), level, seed)
    alike("bootstrap", values=values, weights=weights)
    return _interval(lambda x, w, axis: np.sum(x * w, axis=axis) / np.sum(w, axis=axis), (values, weights), level, seed)


def of_difference(
    one: Tensor, other: Tensor, level: float = LEVEL, seed: int = 0, weights: Tensor | None = None
) -> Interval:
    """Of `mean(one) - mean(other)`, `(n,)` each, paired by row. Raises Unmeasurable as `of_mean`."""
    return of_mean(_paired(one, other), level, seed, weights)


def of_ratio(one: Tensor, other: Tensor, level: float = LEVEL, seed: int = 0) -> Interval:
    """Of `mean(one) / mean(other)`, `(n,)` each, paired by row.

    Raises Unmeasurable also where the lower mean's own interval holds 0: a ratio to it could be anything.
    """
    below = of_mean(other, level, seed)
    if below.low <= 0 <= below.high:
        raise Unmeasurable(
            f"bootstrap: the mean below the line is {below.estimate:g}, from {below.low:g} to {below.high:g}, and may "
            "be 0; compare by the difference"
        )
    _paired(one, other)
    return _interval(lambda x, y, axis: np.mean(x, axis=axis) / np.mean(y, axis=axis), (one, other), level, seed)


def of_nearness(one: Tensor, other: Tensor, target: Tensor, level: float = LEVEL, seed: int = 0) -> Interval:
    """Of `|mean(one) - mean(target)| - |mean(other) - mean(target)|`, `(n,)` each, paired: below 0 `one` is nearer.

    Raises Unmeasurable as `of_difference`.
    """
    alike("bootstrap", one=one, other=other, target=target)

    def nearer(x: Any, y: Any, z: Any, axis: int) -> Any:
        wanted = np.mean(z, axis=axis)
        return np.abs(np.mean(x, axis=axis) - wanted) - np.abs(np.mean(y, axis=axis) - wanted)

    return _interval(nearer, (one, other, target), level, seed)


def _paired(one: Tensor, other: Tensor) -> Tensor:
    alike("bootstrap", one=one, other=other)
    return one.double() - other.double()


def _interval(statistic: Callable[..., Any], samples: tuple[Tensor, ...], level: float, seed: int) -> Interval:
    if not 0 < level < 1:
        raise Unmeasurable(f"bootstrap: a level of {level:g} is none; give one between 0 and 1, such as {LEVEL}")
    for values in samples:
        shaped("bootstrap", "(n,)", values=values)
        enough("bootstrap", MINIMUM, values=len(values))
        finite("bootstrap", values=values)
    rows = tuple(values.detach().double().cpu().numpy() for values in samples)
    found = bootstrap(
        rows, statistic, n_resamples=RESAMPLES, batch=AT_ONCE, vectorized=True, paired=True, confidence_level=level,
        method="percentile", rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(float(statistic(*rows, axis=0)), float(found.low), float(found.high))
