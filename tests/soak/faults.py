"""What is done to a running flow: each fault begins at once, some last a while, and what it did is told."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults import proxy
from tests.faults.victims import prefect_servers, raylets, workers
from tests.flows.runs import Command
from tests.soak.grounds import Grounds

LASTS = (5.0, 20.0)
SLOW_S = 2.0


class Lasting:
    """A fault that began, and goes on until it is ended; one that spoils requests has met something once it did."""

    def __init__(self, end: Callable[[], None] = lambda: None, spoils: Callable[[], int] | None = None) -> None:
        self._end: Callable[[], None] | None = end
        self._spoils = spoils
        self._spoilt = 0

    @property
    def spoilt(self) -> int | None:
        """How many requests met it; None where it is no fault of requests."""
        if self._spoils is None:
            return None
        return self._spoilt if self._end is None else self._spoils()

    @property
    def over(self) -> bool:
        """Whether it was ended."""
        return self._end is None

    @property
    def met(self) -> bool:
        """Whether it was there for anything."""
        return self.spoilt != 0

    def end(self) -> None:
        """Once is enough."""
        if self._end is not None:
            self._end()
            self._spoilt, self._end = self.spoilt or 0, None


Begin = Callable[[Command, Grounds, random.Random], Lasting | None]


@dataclass(frozen=True)
class Fault:
    """In words, and how it begins; None where there is nothing yet that it could meet."""

    told: str
    begin: Begin


def _kill(find: Callable[[Command], list[psutil.Process]]) -> Begin:
    def begin(command: Command, _: Grounds, draw: random.Random) -> Lasting | None:
        found = find(command)
        if not found:
            return None
        with suppress(psutil.NoSuchProcess):
            draw.choice(found).kill()
            return Lasting()
        return None

    return begin


def _kill_driver(command: Command, _: Grounds, draw: random.Random) -> Lasting:  # noqa: ARG001
    command.kill()
    return Lasting()


def _fill(_: Command, grounds: Grounds, draw: random.Random) -> Lasting | None:  # noqa: ARG001
    if not grounds.small:
        return None
    filler = grounds.disk / "filler"
    fill(filler)
    return Lasting(filler.unlink)


def fill(filler: Path) -> None:
    """Write until there is no room for a page of memory."""
    with filler.open("ab", buffering=0) as file:
        for block in (1 << 20, os.sysconf("SC_PAGE_SIZE")):
            with suppress(OSError):
                while file.write(bytes(block)) == block:
                    pass


def _spoil(fault: proxy.Fault) -> Begin:
    """Every request meets it, for a while, and longer where there is none."""

    def begin(_: Command, grounds: Grounds, draw: random.Random) -> Lasting:  # noqa: ARG001
        dealing = ExitStack()
        dealing.enter_context(grounds.proxy.dealing(lambda _: fault, SLOW_S))
        return Lasting(dealing.close, grounds.proxy.counts.total)

    return begin


FAULTS: Mapping[str, Fault] = {
    "worker": Fault("SIGKILL to an actor that something was given to do", _kill(workers)),
    "raylet": Fault("SIGKILL to the raylet of the run's Ray", _kill(raylets)),
    "driver": Fault("SIGKILL to the command itself", _kill_driver),
    "Prefect server": Fault("SIGKILL to the run's Prefect server", _kill(prefect_servers)),
    "disk full": Fault("no byte left on the disk of outputs and scratch folders, for 5 to 20 s", _fill),
    "S3 500": Fault("every request is answered 500, for 5 to 20 s, and one at least", _spoil(proxy.Fault.ERROR_500)),
    "S3 503": Fault(
        "every request is answered 503 SlowDown, for 5 to 20 s, and one at least", _spoil(proxy.Fault.SLOW_DOWN)
    ),
    "S3 reset": Fault(
        "every connection is reset in mid-request, for 5 to 20 s, and one at least", _spoil(proxy.Fault.RESET)
    ),
    "S3 slow": Fault(
        f"every answer comes {SLOW_S:g} s late, for 5 to 20 s, and one at least", _spoil(proxy.Fault.SLOW)
    ),
}
