"""Tabletop's held-out scenes as what is measured on, seen by the family's judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sluice.flows.evaluate.cases import CONTROLS, Case, Two, cases, other
from sluice.flows.evaluate.extracted import HED, Extract, extractors, hed, is_here
from sluice.flows.evaluate.obeyed import Obeyed, obeyed
from sluice.flows.evaluate.populations import Population, Sight, by_judges, scores
from sluice.flows.evaluate.world import Lack
from sluice.preprocess.perception.judges import Judges

COMPOSED = "two"
"""The law of scenes whose foreground and background are told apart."""


@dataclass(frozen=True)
class Scenes:
    """Each control is measured on scenes of its law."""

    judges: Judges

    @property
    def controls(self) -> Sequence[str]:
        return list(CONTROLS)

    def lack(self, control: str) -> Lack | None:
        """Edges that no network is here to draw."""
        return Lack.of(HED) if control == HED and not is_here(HED) else None

    def cases(self, control: str, count: int) -> Sequence[Case]:
        return cases(CONTROLS[control], count)

    def pairs(self, pair: tuple[str, str], count: int) -> Sequence[Two]:
        one, two = (CONTROLS[control] for control in pair)
        return [Two(own.number, own, other(own, two)) for own in cases(one, count)]

    def composed(self, count: int) -> Sequence[Case]:
        return cases(COMPOSED, count)

    @cached_property
    def extract(self) -> dict[str, Extract]:
        return extractors(self.judges, hed())

    @cached_property
    def obeyed(self) -> dict[str, Obeyed]:
        return obeyed(self.judges, hed())

    @property
    def sight(self) -> Sight:
        return by_judges(self.judges)

    @property
    def scores(self) -> Sequence[Population]:
        return [scores(self.judges)]
