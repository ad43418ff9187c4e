"""What a protocol finds: figures with intervals, and of each claim whether it holds, by a rule written down before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from torch import Tensor

from sluice.inference.metrics.bootstrap import Interval

Verdict = Literal["holds", "in part", "not here"]
PICTURE = re.compile(r"[\w-]{1,64}")
"""The name of one, which goes into a path."""
ENOUGH = 16
"""Cases: of fewer nothing holds, whatever their interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure of a method under a condition: its unit, its interval at 95%, and over how many cases."""

    figure: str
    condition: str
    method: str
    unit: str
    interval: Interval
    cases: int


@dataclass(frozen=True)
class Curve:
    """A figure of a method under a condition, `along` something: where on it, and an interval at 95% there."""

    figure: str
    condition: str
    method: str
    along: str
    at: Sequence[float]
    intervals: list[Interval]
    cases: int

    def __post_init__(self) -> None:
        if not self.at or len(self.at) != len(self.intervals):
            raise ValueError(f"{self.figure}: {len(self.intervals)} intervals at {len(self.at)} places")


@dataclass(frozen=True)
class Claim:
    """What a paper says, the rule by which it is judged, and the verdict for each condition and over all."""

    says: str
    rule: str
    verdicts: dict[str, Verdict]

    @property
    def verdict(self) -> Verdict:
        """`holds` where it does under every condition, `not here` where it does not under most, else `in part`."""
        found = list(self.verdicts.values())
        if not found or found.count("not here") > len(found) / 2:
            return "not here"
        return "holds" if set(found) == {"holds"} else "in part"

    @property
    def told(self) -> str:
        """The verdict, and of how many conditions, where they differ."""
        found = Counter(self.verdicts.values())
        if len(found) < 2:
            return self.verdict
        each = ", ".join(f"{what} {found[what]}" for what in get_args(Verdict) if found[what])
        return f"{self.verdict}: {each} of {found.total()}"


@dataclass(frozen=True)
class Example:
    """A case under a condition, why it is shown, and of each method the name of its picture."""

    condition: str
    prompt: str
    why: str
    pictures: dict[str, str]

    def __post_init__(self) -> None:
        for name in self.pictures.values():
            if not PICTURE.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no picture's name")


@dataclass(frozen=True)
class Results:
    """Of one protocol: what it was measured with, its figures, its claims and some of its pictures.

    `left_out` names what could not be measured, with why and what would help; `code` is the version that measured, ""
    of results from before it was kept.
    """

    protocol: str
    title: str
    made_of: dict[str, str]
    settings: dict[str, Any]
    estimates: list[Estimate]
    claims: list[Claim]
    examples: list[Example] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    code: str = ""

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        claims = [{**asdict(claim), "verdict": claim.verdict} for claim in self.claims]
        told = {**asdict(self), "claims": claims}
        return {name: value for name, value in told.items() if name != "code" or value}


def by_case(values: Tensor, seeds: int) -> Tensor:
    """Means over the seeds of each case `(cases,)`, of a case's pictures after each other: they are not independent."""
    return values.reshape(-1, seeds).mean(dim=1)


def judged(holds: bool, in_part: bool, cases: int) -> Verdict:
    """`holds`, of ENOUGH cases, or else `in part`, or else `not here`."""
    return "holds" if holds and cases >= ENOUGH else "in part" if holds or in_part else "not here"
