"""A build against a bare pool of processes with the same kernels: what Sluice's guarantees cost."""

from __future__ import annotations

from functools import partial

from tests.benchmarks.bare import four_stages, pool
from tests.benchmarks.race import compare, race
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.sluice_build import sluice

SHARD = 100


def run(few: int = 200, many: int = 800, rounds: int = 3) -> list[Result]:
    """Image, Canny, gradient and depth cue of every photograph, by two processes."""
    paces = race(
        {"sluice": partial(sluice, four_stages, SHARD), "pool": partial(pool, four_stages, SHARD)}, few, many, rounds
    )
    ratio = paces["sluice"].steady / paces["pool"].steady
    return [Result("build / bare pool", ratio, Goal(">=", 0.90), compare(paces, shard=SHARD))]
