"""A flow run to its end: what is killed is started again, as a user would."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.flows.runs import Command
from tests.soak.flows import Flow, Made, made_by, pieces
from tests.soak.grounds import Grounds, Place
from tests.soak.storm import Storm, Strike

LOOK_S = 0.25
PATIENCE_S = 420.0
STARTS = 12


@dataclass
class Run:
    """How often a flow was started, and what was wrong: it hung, or ended by itself although nothing had met it."""

    flow: str
    starts: int = 0
    hung: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What of a run is not as in the undisturbed one: items that are lost or there more often, and paths."""

    run: Run
    records: int
    digests: int
    lost: Counter[str]
    doubled: Counter[str]
    different: list[str]


def disturb(flow: Flow, place: Place, grounds: Grounds, storm: Storm, undisturbed: Made) -> Outcome:
    """Run a flow in a storm until it says that it is done, and compare."""
    run = Run(flow.name)
    struck: list[Strike] = []
    while not _once(flow, place, grounds, storm, run, struck):
        if run.starts == STARTS:
            run.failed.append(f"given up after {STARTS} starts")
            break
    storm.calm()
    for strike in struck:
        strike.went_on_s = strike.went_on_s or storm.now_s - strike.at_s
    return compare(run, made_by(flow, place), undisturbed)


def compare(run: Run, made: Made, undisturbed: Made) -> Outcome:
    """What differs."""
    paths = made.digests.keys() | undisturbed.digests.keys()
    different = sorted(path for path in paths if made.digests.get(path) != undisturbed.digests.get(path))
    lost, doubled = undisturbed.items - made.items, made.items - undisturbed.items
    return Outcome(run, made.items.total(), len(made.digests), lost, doubled, different)


def _once(flow: Flow, place: Place, grounds: Grounds, storm: Storm, run: Run, struck: list[Strike]) -> bool:
    """Whether the command came to its end."""
    run.starts += 1
    before = len(struck)
    command = grounds.start(flow.words(place))
    try:
        hung = _watch(command, flow, place, storm, struck)
        code, said = command.end()
    finally:
        command.kill()
    if code == 0:
        command.left_behind(10)
        command.clear()
        return True
    storm.calm()
    for strike in struck[before:][-1:]:  # what met it before, it had survived
        strike.started_again = True
    run.hung += hung
    if len(struck) == before and not hung:
        run.failed.append(said.strip().splitlines()[-1] if said.strip() else f"exit {code}, without a word")
    return False


def _watch(command: Command, flow: Flow, place: Place, storm: Storm, struck: list[Strike]) -> bool:
    """Strike, see when it goes on, and press Ctrl-C, then kill, where it does not; whether that was needed."""
    first = there = pieces(place)
    moved = time.monotonic()
    waiting = [(strike, there) for strike in struck if strike.went_on_s is None]
    while command.process.poll() is None:
        now = pieces(place)
        strike = storm.blow(command, flow, now != first)
        if strike is not None:
            struck.append(strike)
            waiting.append((strike, now))
        for hit, had in [*waiting]:
            if now - had:
                hit.went_on_s = storm.now_s - hit.at_s
                waiting.remove((hit, had))
        if now != there:
            there, moved = now, time.monotonic()
        if time.monotonic() - moved > PATIENCE_S:
            command.clear()
            return True
        time.sleep(LOOK_S)
    return False
