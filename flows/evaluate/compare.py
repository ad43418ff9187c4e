"""Two runs of the same protocols side by side, and which figures differ by more than their intervals say they may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sluice.flows.evaluate.claims import Estimate, Results
from sluice.flows.evaluate.results import read_all
from sluice.inference.metrics.bootstrap import Interval

MARK = "**differs**"
HEAD = """# {one} and {other}

A figure differs where the two estimates are farther apart than the root of the squared half widths of their 95%
intervals: the runs count as independent.
"""


def compare(one: Path, other: Path) -> str:
    """A page, in markdown, of what both folders of results have. Raises ConfigError for a folder without results."""
    pairs = list(_pairs(read_all(one), read_all(other)))
    head = HEAD.format(one=one, other=other)
    return "\n".join([head, *(line for pair in pairs for line in _protocol(*pair))]) + "\n"


def differ(one: Interval, other: Interval) -> bool:
    """Whether two independent estimates differ at 95%, each half of an interval on the side of the other."""
    low, high = (one, other) if one.estimate < other.estimate else (other, one)
    apart = high.estimate - low.estimate
    return bool(apart > ((low.high - low.estimate) ** 2 + (high.estimate - high.low) ** 2) ** 0.5)


def _pairs(ones: Sequence[Results], others: Sequence[Results]) -> Iterator[tuple[Results, Results]]:
    named = {own.protocol: own for own in others}
    return ((own, named[own.protocol]) for own in ones if own.protocol in named)


def _protocol(one: Results, other: Results) -> Iterator[str]:
    yield f"## {one.title}\n"
    told = {name: (own.settings, own.made_of) for name, own in (("first", one), ("second", other))}
    yield from (f"The {name}: {settings}; {made_of}.\n" for name, (settings, made_of) in told.items())
    yield from ("| figure | condition | method | first | second | |", "|---|---|---|---|---|---|")
    second = {_place(own): own for own in other.estimates}
    for own in one.estimates:
        if (beside := second.get(_place(own))) is not None:
            mark = MARK if differ(own.interval, beside.interval) else ""
            yield f"| {' | '.join(_place(own))} | {_told(own)} | {_told(beside)} | {mark} |"
    yield ""
    ours = {claim.says: claim.verdict for claim in one.claims}
    for claim in other.claims:
        if claim.says in ours:
            yield f"“{claim.says}”: {ours[claim.says]}, then {claim.verdict}.\n"


def _place(of: Estimate) -> tuple[str, str, str]:
    return of.figure, of.condition, of.method


def _told(of: Estimate) -> str:
    return f"{of.interval.estimate:.3g} ({of.interval.low:.3g} to {of.interval.high:.3g})"
