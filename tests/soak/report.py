"""docs/reliability.md, all of it from what was measured."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.soak.faults import FAULTS
from tests.soak.flows import FLOWS
from tests.soak.run import Outcome
from tests.soak.storm import Strike

SHOWN = 20


@dataclass(frozen=True)
class Soaked:
    """All that was measured. `facts` say when, where and by which command; `left_out` why a fault was not dealt."""

    facts: Mapping[str, str]
    outcomes: Sequence[Outcome]
    strikes: Sequence[Strike]
    left_out: Mapping[str, str]

    @property
    def met(self) -> list[Strike]:
        """Those that hit something: of a run that ended meanwhile, no more requests may have come."""
        return [strike for strike in self.strikes if strike.lasting.met]

    @property
    def defects(self) -> list[str]:
        """What must not be, a line each."""
        return [line for outcome in self.outcomes for line in defects_of(outcome)]


def defects_of(outcome: Outcome) -> Iterator[str]:
    """What of a run must not be."""
    run = outcome.run
    for what, items in (("lost", outcome.lost), ("doubled", outcome.doubled)):
        yield from (f"{run.flow}: {what}: {item} ({count})" for item, count in sorted(items.items()))
    yield from (f"{run.flow}: not the bytes of the undisturbed run: {path}" for path in outcome.different)
    yield from (f"{run.flow}: ended, although no fault had met it: {said}" for said in run.failed)
    if run.hung:
        yield f"{run.flow}: stood still and was ended from outside ({run.hung})"


def page(soaked: Soaked) -> str:
    """As Markdown."""
    lost, doubled = (sum(getattr(own, what).total() for own in soaked.outcomes) for what in ("lost", "doubled"))
    different = sum(len(own.different) for own in soaked.outcomes)
    digests = sum(own.digests for own in soaked.outcomes)
    defects = soaked.defects
    parts = [
        "# Reliability",
        "Every flow, over and over, while faults meet it; what a fault ends is started again by the same command. "
        "Compared is with the same runs undisturbed, made before. This page is written by the command below.",
        f"**{len(soaked.met)} faults: {lost} lost, {doubled} doubled, {different} of {digests} digests differ.**",
        "\n".join(f"- {name}: {value}" for name, value in soaked.facts.items()),
        "## Flows",
        _table(_FLOW_HEAD, _flow_rows(soaked)),
        "Counted are records of a data set, logged steps and the network of a training, pictures and rows of a "
        "composition, pictures of an evaluation. Digests are of every file whose bytes are promised.",
        "## Faults",
        _table(_FAULT_HEAD, _fault_rows(soaked)),
        "It went on when the next shard, picture, checkpoint or network was written, or the run was done: starting "
        "the command again is part of that time.",
        "## Which fault met which flow",
        _table(("fault", *(flow.name for flow in FLOWS)), _met_rows(soaked.met)),
        *_idle(soaked),
        *(f"Not dealt: {kind}, {why}." for kind, why in soaked.left_out.items()),
        *(["## What was wrong", "\n".join(f"- {line}" for line in defects[:SHOWN])] if defects else []),
        *([f"And {len(defects) - SHOWN} more."] if len(defects) > SHOWN else []),
    ]
    return "\n\n".join(parts) + "\n"


_FLOW_HEAD = ("flow", "runs", "starts", "faults", "counted", "lost", "doubled", "digests", "different")
_FAULT_HEAD = ("fault", "what it is", "times", "run went on by itself", "started again", "requests spoilt",
               "s until it went on: median", "most")  # fmt: skip


def _flow_rows(soaked: Soaked) -> Iterator[tuple[object, ...]]:
    met = Counter(strike.flow for strike in soaked.met)
    for flow in FLOWS:
        own = [outcome for outcome in soaked.outcomes if outcome.run.flow == flow.name]
        yield (
            flow.name,
            len(own),
            sum(outcome.run.starts for outcome in own),
            met[flow.name],
            sum(outcome.records for outcome in own),
            sum(outcome.lost.total() for outcome in own),
            sum(outcome.doubled.total() for outcome in own),
            sum(outcome.digests for outcome in own),
            sum(len(outcome.different) for outcome in own),
        )


def _fault_rows(soaked: Soaked) -> Iterator[tuple[object, ...]]:
    for kind, fault in FAULTS.items():
        own = [strike for strike in soaked.met if strike.kind == kind]
        waits = [strike.went_on_s for strike in own if strike.went_on_s is not None]
        again = sum(strike.started_again for strike in own)
        yield (
            kind,
            fault.told,
            len(own),
            len(own) - again,
            again,
            "" if all(strike.lasting.spoilt is None for strike in own) else sum(s.lasting.spoilt or 0 for s in own),
            f"{statistics.median(waits):.0f}" if waits else "",
            f"{max(waits):.0f}" if waits else "",
        )


def _met_rows(strikes: Sequence[Strike]) -> Iterator[tuple[object, ...]]:
    met = Counter((strike.kind, strike.flow) for strike in strikes)
    for kind in FAULTS:
        yield (kind, *(met[kind, flow.name] if kind in flow.hit_by else "-" for flow in FLOWS))


def _idle(soaked: Soaked) -> Iterator[str]:
    idle = Counter(strike.kind for strike in soaked.strikes if not strike.lasting.met)
    if idle:
        yield "Not counted: " + ", ".join(f"{kind} ({count})" for kind, count in sorted(idle.items())) + _NO_REQUEST


_NO_REQUEST = ", which no request met before the run, or the minute, was over."


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
