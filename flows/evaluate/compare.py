"""Two runs of the same protocols side by side, and which figures differ by more than their intervals say they may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sluice.flows.evaluate.claims import Estimate, Results
from sluice.flows.evaluate.results import read_all
from sluice.inference.metrics.bootstrap import Interval
from sluice.infra.settings import ConfigError

MARK = "**differs**"
UNJUDGED = "not judged"
HEAD = """# {one} and {other}

A figure differs where the two estimates are farther apart than the root of the squared half widths of their 95%
intervals: the runs count as independent.
"""


def compare(one: Path, other: Path) -> str:
    """A page, in markdown, of what both folders of results have, and what one has alone.

    Raises ConfigError for a folder without results, and for two without a protocol in common.
    """
    ones, others = ({own.protocol: own for own in read_all(folder)} for folder in (one, other))
    both = [name for name in ones if name in others]
    if not both:
        raise ConfigError(
            f"{one} ({', '.join(ones)}) and {other} ({', '.join(others)}) have no protocol in common: name folders "
            "with results of the same one"
        )
    lone = {"first": ones.keys() - others.keys(), "second": others.keys() - ones.keys()}
    alone = [f"In the {run} alone: {', '.join(sorted(names))}.\n" for run, names in lone.items() if names]
    pairs = (line for name in both for line in _protocol(ones[name], others[name]))
    return "\n".join([HEAD.format(one=one, other=other), *alone, *pairs]) + "\n"


def differ(one: Interval, other: Interval) -> bool:
    """Whether two independent estimates differ at 95%, each half of an interval on the side of the other."""
    low, high = (one, other) if one.estimate < other.estimate else (other, one)
    apart = high.estimate - low.estimate
    return bool(apart > ((low.high - low.estimate) ** 2 + (high.estimate - high.low) ** 2) ** 0.5)


def _protocol(one: Results, other: Results) -> Iterator[str]:
    yield f"## {one.title}\n"
    told = {name: (own.settings, own.made_of) for name, own in (("first", one), ("second", other))}
    yield from (f"The {name}: {settings}; {made_of}.\n" for name, (settings, made_of) in told.items())
    yield from ("| figure | condition | method | first | second | |", "|---|---|---|---|---|---|")
    first, second = ({_place(own): own.interval for own in run.estimates} for run in (one, other))
    for place in first | second:
        here, there = first.get(place), second.get(place)
        mark = MARK if here and there and differ(here, there) else ""
        yield f"| {' | '.join(place)} | {_told(here)} | {_told(there)} | {mark} |"
    yield ""
    ours, theirs = ({claim.says: claim.verdict for claim in run.claims} for run in (one, other))
    for says in ours | theirs:
        yield f"“{says}”: {ours.get(says, UNJUDGED)}, then {theirs.get(says, UNJUDGED)}.\n"


def _place(of: Estimate) -> tuple[str, str, str]:
    return of.figure, of.condition, of.method


def _told(of: Interval | None) -> str:
    return "" if of is None else f"{of.estimate:.3g} ({of.low:.3g} to {of.high:.3g})"
