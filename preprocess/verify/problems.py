"""What `verify` reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

SHOWN = 3
REBUILD = "run the same build again, which makes it anew"
ANEW = f"delete it and {REBUILD}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the file, what was expected and found there, and what to do about it."""

    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.remedy}"


def first(found: Sequence[str]) -> list[str]:
    """The first few findings of a kind, and how many more there are."""
    more = [f"{len(found) - SHOWN} more like these"] if len(found) > SHOWN else []
    return [*found[:SHOWN], *more]


def problems(path: str, found: Iterable[str], remedy: str) -> list[Problem]:
    """A problem for each of the first few findings in one file."""
    return [Problem(path, what, remedy) for what in first(list(found))]


def flat(found: Iterable[Iterable[Problem]]) -> list[Problem]:
    """All of them in one list."""
    return list(chain.from_iterable(found))
