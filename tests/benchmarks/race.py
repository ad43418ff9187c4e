"""Contenders side by side: the same photographs, a fresh output each time, A B A B, medians."""

from __future__ import annotations

import multiprocessing
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.photographs import photographs

Contender = Callable[[Path, Path], None]
"""Makes a data set from a folder of photographs in a folder that is not there yet, from a standing start."""


@dataclass(frozen=True)
class Pace:
    """Median seconds for a few photographs and for many: what the many took more is without start-up."""

    few: int
    many: int
    seconds_few: float
    seconds_many: float

    @property
    def steady(self) -> float:
        """Images a second once it runs."""
        return (self.many - self.few) / (self.seconds_many - self.seconds_few)

    @property
    def overall(self) -> float:
        """Images a second, start-up included."""
        return self.many / self.seconds_many

    @property
    def start_up(self) -> float:
        """Seconds that do not depend on the number of images."""
        return self.seconds_few - self.few / self.steady

    def to_json(self) -> dict[str, float]:
        return {
            "images/s": round(self.steady, 2),
            "images/s with start-up": round(self.overall, 2),
            "start-up s": round(self.start_up, 2),
        }


def race(contenders: Mapping[str, Contender], few: int, many: int, rounds: int) -> dict[str, Pace]:
    """The pace of each contender, in turns. Raises RuntimeError where nothing can be concluded."""
    seconds: dict[tuple[str, int], list[float]] = {(name, n): [] for name in contenders for n in (few, many)}
    folders = {n: photographs(n) for n in (few, many)}
    for _ in range(rounds):
        for (name, n), taken in seconds.items():
            taken.append(time_once(contenders[name], folders[n]))
    medians = {which: statistics.median(taken) for which, taken in seconds.items()}
    for name in contenders:
        if medians[name, many] <= medians[name, few]:
            raise RuntimeError(f"the machine is too busy: {name} took no longer for {many} photographs than for {few}")
    return {name: Pace(few, many, medians[name, few], medians[name, many]) for name in contenders}


def time_once(contender: Contender, photos: Path) -> float:
    """Wall seconds of one run. Raises RuntimeError where what it made does not hold every photograph once."""
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as folder:
        out = Path(folder) / "out"
        began = time.monotonic()
        contender(photos, out)
        seconds = time.monotonic() - began
        wanted, made = len(list(photos.iterdir())), _count(out)
    if made not in (wanted, None):
        raise RuntimeError(f"a contender made {made} records of {wanted} photographs: {contender}")
    return seconds


def _count(out: Path) -> int | None:
    """JPEGs in the data set's tars (not in Sluice's single stages'); None where nothing was written at all."""
    if not any(out.iterdir()):
        return None
    shards = [path for path in out.rglob("*.tar") if "stages" not in path.relative_to(out).parts]
    return sum(name.endswith(".jpg") for path in shards for name in tarfile.open(path).getnames())


def apart(function: Callable[..., None], *arguments: Any) -> None:
    """Run a function of a module in a fresh interpreter. Raises RuntimeError where it fails."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__} failed; what it said is above")


def compare(paces: Mapping[str, Pace], **facts: Any) -> dict[str, Any]:
    """The details of a race."""
    (pace, *_) = paces.values()
    return {**{name: p.to_json() for name, p in paces.items()}, "images": [pace.few, pace.many], **facts}
