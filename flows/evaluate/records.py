"""Held-out records of a data set as what is measured on, seen by the data set's own stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sluice.flows.evaluate.anew import Anew
from sluice.flows.evaluate.cases import CONTROLS, Two
from sluice.flows.evaluate.extracted import Extract, is_here, levels_of
from sluice.flows.evaluate.obeyed import Obeyed, by_control
from sluice.flows.evaluate.populations import Population, Sight, by_inception
from sluice.flows.evaluate.recorded import HeldOut, Recorded, Sought, named, people_of
from sluice.flows.evaluate.world import Lack
from sluice.inference.metrics.bootstrap import MINIMUM
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import find
from sluice.preprocess.perception.inception import Inception

INCEPTION, LABELS = "inception-fid", "segments.png"
"""Labels are no levels: they cannot be nearer or farther from others."""
POSE, POINTS = "pose", "pose.json"
PARTS = ("image", "background", "mask", "fg_depth", "bg_depth")
"""What a picture is composed of."""
LITTLE, MUCH = 0.01, 0.99
"""Shares of a picture: a foreground has more than the one and less than the other."""
SOMEBODY = Sought((POINTS,), lambda record: len(people_of(record)) > 0)
A_POSE = Sought((f"{POSE}.png",), lambda record: bool(record[f"{POSE}.png"].any()))
A_FOREGROUND = Sought(("mask.png",), lambda record: LITTLE < record["mask.png"].mean() / 255 < MUCH)


@dataclass(frozen=True)
class Records:
    """Each control is measured on the first records that have it."""

    held: HeldOut

    @property
    def told(self) -> str:
        """For results."""
        return self.held.told

    @property
    def count(self) -> int:
        """Of records that can be cases."""
        return self.held.count

    @property
    def version(self) -> str:
        """As a folder's name."""
        return self.held.version

    @cached_property
    def anew(self) -> Anew:
        return Anew(self.held.data.version.manifest)

    @cached_property
    def controls(self) -> Sequence[str]:
        """The papers', and all else that a stage draws."""
        drawn = [own.removesuffix(".png") for own in self.anew.fields if own.endswith(".png") and own != LABELS]
        return list(dict.fromkeys([*CONTROLS, *drawn]))

    def lack(self, control: str) -> Lack | None:
        found = self.anew.lack(named(control))
        if found is None and len(self.cases(control, MINIMUM)) < MINIMUM:
            return Lack(f"fewer than {MINIMUM} of the records held out have any", "build with more pictures")
        return found

    def cases(self, control: str, count: int) -> Sequence[Recorded]:
        """Everything but a pose is somewhere in every picture."""
        if control != POSE:
            return self.held.first(count)
        return self.held.first(count, SOMEBODY if POINTS in self.held.data.fields else A_POSE)

    def pairs(self, pair: tuple[str, str], count: int) -> Sequence[Two]:
        """Of records of which no two pairs have one, where there are enough."""
        ones = self.cases(pair[0], count)
        taken = {own.record.key for own in ones}
        others = sorted(self.cases(pair[1], 2 * count), key=lambda own: own.record.key in taken)
        found = []
        for number, one in enumerate(ones):
            turned = (others[(number + step) % len(others)] for step in range(len(others)))
            other = next(own for own in turned if own.record.key != one.record.key)
            found.append(Two(number, one, other))
        return found

    def composed(self, count: int) -> Sequence[Recorded]:
        if lacking := sorted({named(own) for own in PARTS} - self.held.data.fields):
            raise ConfigError(
                f"--data {self.held.uri} lacks {', '.join(lacking)}, which tell a foreground from its background: name "
                "the stages mask, background, fg_depth and bg_depth in its configuration and build it again"
            )
        found = self.held.first(count, A_FOREGROUND)
        if len(found) < MINIMUM:
            raise ConfigError(f"--data {self.held.uri}: fewer than {MINIMUM} of the records held out have a foreground")
        return found

    @cached_property
    def extract(self) -> dict[str, Extract]:
        return {own: self._extract(named(own)) for own in self.controls if self.anew.lack(named(own)) is None}

    @cached_property
    def obeyed(self) -> dict[str, Obeyed]:
        return by_control(self.extract, self._people if POINTS in self.held.data.fields else None)

    @cached_property
    def sight(self) -> Sight | Lack:
        return by_inception(Inception(find(INCEPTION).path)) if is_here(INCEPTION) else Lack.of(INCEPTION)

    @property
    def scores(self) -> Sequence[Population]:
        """None: only the judges know how many kinds of things there are."""
        return []

    def _extract(self, field: str) -> Callable[[Tensor], Tensor]:
        return lambda pictures: levels_of(self.anew(field, pictures))

    def _people(self, pictures: Tensor) -> Sequence[Tensor]:
        found = (own["people"] for own in self.anew(POINTS, pictures))
        return [torch.tensor([own["points"] for own in people]).reshape(-1, 18, 3) for people in found]
