"""How far a training is, which is kept, and how fast it goes, which is not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Progress:
    """Steps done, sums over the steps since the last line of the log, batches left out and their keys.

    `in_a_row` is how many steps, up to now, had a batch left out in some process.
    """

    step: int = 0
    logged: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    skipped: int = 0
    skipped_keys: list[str] = field(default_factory=list)
    in_a_row: int = 0

    def add(self, name: str, value: float) -> None:
        """To the sum of this name."""
        self.sums[name] = self.sums.get(name, 0.0) + value

    def leave_out(self, keys: Sequence[str]) -> None:
        """Count a batch that the weights have nothing of."""
        self.skipped += 1
        self.skipped_keys += keys


@dataclass
class Pace:
    """Images a second and the share of time not spent waiting for data, since the last line of the log."""

    images: int
    """Of one step."""
    began: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    steps: int = 0

    def timed(self, batches: Iterator[T]) -> Iterator[T]:
        """The same batches; how long each is waited for is noted."""
        while True:
            asked = time.monotonic()
            batch = next(batches, None)
            self.waited += time.monotonic() - asked
            if batch is None:
                return
            self.steps += 1
            yield batch

    def figures(self) -> dict[str, float]:
        """What is logged of it."""
        passed = time.monotonic() - self.began
        return {"images/s": self.steps * self.images / passed, "busy": 1 - self.waited / passed}

    def restart(self) -> None:
        """Begin anew: validation is no training."""
        self.began, self.waited, self.steps = time.monotonic(), 0.0, 0
