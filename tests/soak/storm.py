"""When which fault strikes: seeded moments, of the faults that can meet the flow that runs then one that met fewest."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass

from tests.flows.runs import Command
from tests.soak.faults import FAULTS, LASTS, Lasting
from tests.soak.flows import Flow
from tests.soak.grounds import Grounds


@dataclass
class Strike:
    """A fault that met a flow `at_s` seconds into the storm, and how long it took until the flow went on."""

    kind: str
    flow: str
    at_s: float
    lasting: Lasting
    went_on_s: float | None = None
    started_again: bool = False


class Storm:
    """Strikes at `moments` (seconds from its beginning), by faults of these kinds; `at_work` once something is written.

    A run that only starts has little to lose. A strike that ended before it met anything is owed, and made up for.
    """

    def __init__(
        self, grounds: Grounds, draw: random.Random, moments: Iterator[float], kinds: Set[str], at_work: bool = False
    ) -> None:
        self.grounds, self.draw, self.moments, self.at_work = grounds, draw, moments, at_work
        self.kinds = {kind for kind in kinds if kind != "disk full" or grounds.small}
        self.began = time.monotonic()
        self.strikes: list[Strike] = []
        self._next = next(moments, None)
        self._wanted: tuple[str, str] | None = None
        self._ends = 0.0
        self._owed = 0

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.began

    def blow(self, command: Command, flow: Flow, written: bool) -> Strike | None:
        """Called all the time: the strike that falls just now, if any, on a run that has `written` something or not."""
        if self.now_s > self._ends and self.strikes and self.strikes[-1].lasting.met:
            self.calm()
        if not self._is_due or (self.at_work and not written):
            return None
        if not (kind := self._kind(flow)):
            return None
        self.calm()
        lasting = FAULTS[kind].begin(command, self.grounds, self.draw)
        if lasting is None:
            return None
        self._wanted, self._ends = None, self.now_s + self.draw.uniform(*LASTS)
        if self._owed:
            self._owed -= 1
        else:
            self._next = next(self.moments, None)
        self.strikes.append(Strike(kind, flow.name, self.now_s, lasting))
        return self.strikes[-1]

    def calm(self) -> None:
        """End what still lasts, as a user would who frees a disk before starting again."""
        if self.strikes and not (last := self.strikes[-1].lasting).over:
            last.end()
            self._owed += not last.met

    @property
    def _is_due(self) -> bool:
        return self._owed > 0 or (self._next is not None and self.now_s >= self._next)

    def _kind(self, flow: Flow) -> str | None:
        """Drawn once for a flow, and waited for: its process may not have started yet."""
        if self._wanted is None or self._wanted[0] != flow.name:
            possible = sorted(self.kinds & flow.hit_by)
            if not possible:
                return None
            met = Counter(strike.kind for strike in self.strikes if strike.lasting.met)
            fewest = min(met[kind] for kind in possible)
            self._wanted = flow.name, self.draw.choice([kind for kind in possible if met[kind] == fewest])
        return self._wanted[1]


def every(seconds: float, until: float, draw: random.Random) -> Iterator[float]:
    """One moment in each span of so many seconds."""
    start = 0.0
    while start < until:
        yield start + draw.uniform(0, seconds)
        start += seconds
