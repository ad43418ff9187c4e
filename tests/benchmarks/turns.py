"""Contenders of one process that take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def in_turns(contenders: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1) -> dict[str, float]:
    """Median seconds of a call of each, A B A B, after a first round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, call in contenders.items():
            began = time.perf_counter()
            for _ in range(calls):
                call()
            seconds[name].append((time.perf_counter() - began) / calls)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}
