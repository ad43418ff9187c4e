"""What a protocol that is of controls needs to know of where its cases come from, and what may be missing there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sluice.flows.evaluate.cases import AnyCase, Two
from sluice.flows.evaluate.extracted import Extract
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.populations import Population, Sight


@dataclass(frozen=True)
class Lack:
    """Why something cannot be measured, and what would help."""

    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.why}; {self.remedy}"

    @classmethod
    def of(cls, weights: str) -> Lack:
        """Of weights of the catalogue."""
        return cls(f"the weights {weights} are not here", f"`sluice models pull {weights}`")

    @classmethod
    def of_cases(cls, fewest: int, there: int) -> Lack:
        """Of so many more."""
        return cls(
            f"it takes {fewest} cases or more, and has {there}", "`--scenes` says how many, of as many as there are"
        )


class World(Protocol):
    """Tabletop's held-out scenes, or the records of a data set, with what sees in pictures what they ask for."""

    @property
    def controls(self) -> Sequence[str]:
        """All that a case may have."""
        ...

    def lack(self, control: str) -> Lack | None:
        """Why a control cannot be measured, if it cannot."""
        ...

    def cases(self, control: str, count: int) -> Sequence[AnyCase]:
        """The first that have a control, so many or as many as there are."""
        ...

    def pairs(self, pair: tuple[str, str], count: int) -> Sequence[Two]:
        """Two cases each, of one control each."""
        ...

    def composed(self, count: int) -> Sequence[AnyCase]:
        """Of which foreground and background are known apart. Raises ConfigError where none are."""
        ...

    @property
    def extract(self) -> Mapping[str, Extract]:
        """Of each control that can be measured, its condition anew."""
        ...

    @property
    def obeyed(self) -> Mapping[str, Obeyed]:
        """Of each control that can be measured, its figure."""
        ...

    @property
    def sight(self) -> Sight | Lack:
        """What sets of pictures are seen by."""
        ...

    @property
    def scores(self) -> Sequence[Population]:
        """What is said of a set of pictures on its own."""
        ...
