"""Two runs of the same protocols side by side, and which figures differ by more than chance would have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from torch import Tensor

from sluice.flows.evaluate.claims import Estimate, Results
from sluice.flows.evaluate.each_case import Place, cases_of
from sluice.flows.evaluate.results import DATA, read_all
from sluice.inference.metrics.bootstrap import LEVEL, Interval, of_difference
from sluice.infra.settings import ConfigError

MARK, UNPAIRED = "**differs**", "**differs**, unpaired"
UNJUDGED = "not judged"
NEAR = 1e-3
"""By how much the mean of cases may be beside the figure that they are of: both are rounded."""
HEAD = """# {one} and {other}

A figure differs where the 95% interval of the difference, paired by case, does not hold 0. Unpaired, of other cases or
where no cases are kept, it does where the two estimates are farther apart than the root of the squared half widths of
their intervals: the runs count as independent.
"""


@dataclass(frozen=True)
class Run:
    """What one of two runs found of a protocol, and case by case."""

    found: Results
    cases: Mapping[Place, Tensor]

    @property
    def estimates(self) -> dict[Place, Estimate]:
        """By their places."""
        return {(own.figure, own.condition, own.method): own for own in self.found.estimates}

    def values(self, place: Place) -> Tensor | None:
        """Of each case, where they are those that the estimate is of."""
        own = self.cases.get(place)
        mean = self.estimates[place].interval.estimate
        return own if own is not None and isclose(float(own.mean()), mean, rel_tol=NEAR, abs_tol=NEAR**2) else None


def compare(one: Path, other: Path) -> str:
    """A page, in markdown, of what both folders of results have, and what one has alone.

    Raises ConfigError for a folder without results, and for two without a protocol in common.
    """
    ones, others = ({run.found.protocol: run for run in _runs(folder)} for folder in (one, other))
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


def _runs(folder: Path) -> Iterator[Run]:
    return (Run(found, cases_of(folder / f"{found.protocol}.csv")) for found in read_all(folder))


def _protocol(one: Run, other: Run) -> Iterator[str]:
    yield f"## {one.found.title}\n"
    for name, own in {"first": one.found, "second": other.found}.items():
        yield f"The {name}: {own.settings}; {own.made_of}; code {own.code or 'unknown'}.\n"
    yield from ("| figure | condition | method | first | second | |", "|---|---|---|---|---|---|")
    first, second, marks = one.estimates, other.estimates, list[str]()
    for place in first | second:
        mark = _mark(place, one, other) if place in first and place in second else ""
        marks += [mark] if place in first and place in second else []
        yield f"| {' | '.join(place)} | {_told(first.get(place))} | {_told(second.get(place))} | {mark} |"
    yield f"\n{_by_chance(marks)}\n"
    ours, theirs = ({claim.says: claim.verdict for claim in run.found.claims} for run in (one, other))
    for says in ours | theirs:
        yield f"“{says}”: {ours.get(says, UNJUDGED)}, then {theirs.get(says, UNJUDGED)}.\n"


def _mark(place: Place, one: Run, other: Run) -> str:
    here, there = one.values(place), other.values(place)
    same = all(one.found.settings.get(name) == other.found.settings.get(name) for name in ("scenes", DATA))
    if same and here is not None and there is not None and len(here) == len(there):
        found = of_difference(here, there)
        return "" if found.low <= 0 <= found.high else MARK
    return UNPAIRED if differ(one.estimates[place].interval, other.estimates[place].interval) else ""


def _by_chance(marks: list[str]) -> str:
    expected = (1 - LEVEL) * len(marks)
    return (
        f"{sum(map(bool, marks))} of {len(marks)} figures differ. Of as many that are the same, {expected:.3g} are "
        "expected to by chance: one alone says little."
    )


def _told(of: Estimate | None) -> str:
    own = None if of is None else of.interval
    return "" if own is None else f"{own.estimate:.3g} ({own.low:.3g} to {own.high:.3g})"
