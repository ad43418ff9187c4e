"""Methods against each other over the same cases and the same noise, by figures of what their pictures show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from sluice.flows.compose.run.runs import Here, Run
from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import CONTROLS, Prompted
from sluice.flows.evaluate.claims import Curve, Estimate, Example, by_case
from sluice.flows.evaluate.coco_mig import CocoMig
from sluice.flows.evaluate.counted import judging, stage
from sluice.flows.evaluate.crowds import CrowdedScenes, Crowds
from sluice.flows.evaluate.each_case import Place
from sluice.flows.evaluate.made import made, pixels_of
from sluice.flows.evaluate.methods import Method, Networks, Sampling
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.outcome import Outcome
from sluice.flows.evaluate.populations import WHOLE, Crop, Population, from_true
from sluice.flows.evaluate.scenes import Scenes
from sluice.flows.evaluate.trees import guided, plain
from sluice.flows.evaluate.world import Lack, World
from sluice.preprocess.perception.judges import Judges

AT_ONCE = 8
"""Pictures that are made together: a constant, so that what is made for few cases is there for more."""
JUDGED_AT_ONCE = 32
FIRST, WORST = 3, 2
"""Cases of each condition that are shown."""
Tree = Callable[[Any], Mapping[str, Any]]
"""A method: the tree of the job of a case, of the world that it was made for."""


@dataclass(frozen=True)
class Contest:
    """The pictures of every method for every case, kept in `place`; `networks` are those of controls.

    Cases are of `data`, those of instances of `asked`, or else of tabletop. Pictures are counted as the `protocol`'s
    and made by a `run`, in this process unless told otherwise.

    `examples` fills with cases that are worth showing, `populations` with how far sets of pictures are from true ones,
    `left_out` with what cannot be measured and what would help, `curves` with what changes along something, `heard`
    with the networks of all that can be measured, `values` with every figure case by case.
    """

    sampling: Sampling
    place: Path
    console: Console
    networks: Networks
    examples: list[Example] = field(default_factory=list)
    populations: list[Estimate] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    heard: dict[str, None] = field(default_factory=dict)
    values: dict[Place, Tensor] = field(default_factory=dict)
    data: World | None = None
    asked: CocoMig | None = None
    protocol: str = "evaluate"
    run: Run = field(default_factory=Here)

    @cached_property
    def judges(self) -> Judges:
        """The family's own, who say what pictures show."""
        return Judges.load(found(f"{self.sampling.base}/judges").path)

    @cached_property
    def world(self) -> World:
        """Where cases come from: the data, or tabletop."""
        return self.data or Scenes(self.judges)

    @cached_property
    def crowds(self) -> Crowds:
        """Where cases of instances come from."""
        return self.asked or CrowdedScenes(self.judges)

    def under(self, method: Method, told: Callable[[Any], Sequence[Mapping[str, Any]]]) -> Tree:
        """The tree of a method under controls, guided, in plain steps."""
        return lambda case: plain(
            guided(method.model(self.sampling.alone, self.networks, told(case)), self.sampling.guidance)
        )

    def controls(self, methods: Sequence[Method]) -> list[str]:
        """Those that can be measured of some methods; the papers' are left out otherwise, and others not spoken of."""
        asked = [own for own in self.world.controls if own in CONTROLS or not self._lack(methods, own)]
        return [control for control in asked if self.has(control, [control], methods)]

    def has(self, what: str, controls: Sequence[str], methods: Sequence[Method] = ()) -> bool:
        """Whether something of some controls can be measured; it is left out where it cannot."""
        lacks = (self.world.lack(own) or self._lack(methods, own) for own in controls)
        lack = next(filter(None, lacks), None)
        if lack is not None:
            self.leave_out(what, lack)
            return False
        self.heard.update(dict.fromkeys(name for own in controls for name in self.networks.names(methods, own)))
        return True

    def there(self, some: Sequence[Method], controls: Sequence[str]) -> list[Method]:
        """Some methods, without the optional ones that lack a network of these controls; it is said how to have it."""
        lacks = {own: self.lack_of(self._optional([own], controls)) for own in some}
        for own, lack in lacks.items():
            if lack is not None:
                self.leave_out(f"{own.name} of {' + '.join(controls)}", lack)
        return [own for own, lack in lacks.items() if lack is None]

    def alone(self, some: Sequence[Method]) -> dict[str, list[Method]]:
        """Of each control that can be measured, the methods that are there."""
        return {control: self.there(some, [control]) for control in self.controls(some)}

    def optional(self, some: Sequence[Method], spoken: Iterable[Sequence[str]] | None = None) -> dict[str, str]:
        """The places of the networks that optional methods have, where they are there, for controls that speak
        together; unless told otherwise each speaks alone."""
        told = [[control] for control in self.controls(some)] if spoken is None else spoken
        names = [own for controls in told for own in self._optional(self.there(some, controls), controls)]
        return {name: self.networks.of(name) for name in names}

    def _lack(self, methods: Sequence[Method], control: str) -> Lack | None:
        """Which networks that methods have for a control are not there, if some are not."""
        return self.lack_of(self.networks.names(methods, control))

    def lack_of(self, names: Sequence[str]) -> Lack | None:
        """Which of some networks are not there, if some are not: on tabletop the evidence's, and on data one's own."""
        return (self.networks.lack_of if self.data is None else self.networks.lack_of_ones_own)(names)

    def _optional(self, some: Sequence[Method], controls: Sequence[str]) -> list[str]:
        return [f"{own.network}-{control}" for own in some if own.optional for control in controls]

    def leave_out(self, what: str, lack: Lack) -> None:
        """Say once, here and in the results, what cannot be measured."""
        if what not in self.left_out:
            self.console.print(f"Left out: {what}: {lack}", style="yellow")
        self.left_out[what] = str(lack)

    def from_true(self, *crops: Crop) -> list[Population]:
        """How far pictures are from true ones, or what of both some crops show; nothing where nothing can tell."""
        sight = self.world.sight
        if isinstance(sight, Lack):
            self.leave_out("FID and KID", sight)
            return []
        return [from_true(sight, crop) for crop in crops or (WHOLE,)]

    def __call__(
        self,
        condition: str,
        some: Sequence[Prompted],
        methods: Mapping[str, Tree],
        figures: Sequence[Obeyed],
        together: bool = False,
        populations: Sequence[Population] | None = None,
    ) -> Outcome:
        """What the methods' pictures show. Raises NotMade.

        Those of one case are made at once, or of many `together`, where trees differ alone in what conditions show or
        say. As sets they are set beside the cases' true pictures, unless `populations` says otherwise.
        """
        seeds = self.sampling.seeds
        batch = AT_ONCE if together else seeds
        jobs = [self.sampling.job(case, tree(case), batch) for tree in methods.values() for case in some]
        self.console.print(f"{condition}: {', '.join(methods)}")
        names = made(jobs, self.place, self.console, self.run, stage(self.protocol, "made"))
        own = len(some) * seeds
        by_method = {name: names[place * own : (place + 1) * own] for place, name in enumerate(methods)}
        with judging(self.protocol, condition, len(names)):
            outcome = Outcome(condition, tuple(figures), self._judged(some, by_method, figures))
            for population in self.from_true() if populations is None else populations:
                if len(some) < (fewest := population.fewest(seeds)):
                    self.leave_out(population.figures, Lack.of_cases(fewest, len(some)))
                else:
                    self.populations.extend(population.measure(condition, self._of_each(by_method), list(some)))
        self.values.update({(figure, condition, method): own for (figure, method), own in outcome.values.items()})
        self.examples.extend(examples(outcome, some, names[::seeds], list(methods)))
        return outcome

    def _judged(
        self, some: Sequence[Prompted], by_method: Mapping[str, Sequence[str]], figures: Sequence[Obeyed]
    ) -> dict[tuple[str, str], Tensor]:
        """Figures of each method's pictures by their names, some of them at a time: those of photographs are large."""
        seeds = self.sampling.seeds
        each = [case for case in some for _ in range(seeds)]
        found: dict[tuple[str, str], list[Tensor]] = {(own.figure, name): [] for own in figures for name in by_method}
        for name, names in by_method.items():
            for start in range(0, len(names), JUDGED_AT_ONCE):
                here = slice(start, start + JUDGED_AT_ONCE)
                pictures = pixels_of(names[here], self.place)
                for figure in figures:  # one after the other of the same pictures: what several ask is seen once
                    found[figure.figure, name].append(figure.of(pictures, each[here]))
        return {key: by_case(torch.cat(parts), seeds) for key, parts in found.items()}

    def _of_each(self, by_method: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Tensor]]:
        """Each method's pictures, read when they are asked for."""
        return ((name, pixels_of(names, self.place)) for name, names in by_method.items())


def examples(
    outcome: Outcome, some: Sequence[Prompted], names: Sequence[str], methods: Sequence[str]
) -> Iterator[Example]:
    """The first cases, and those in which the last method does worst by the first figure; `names` case by case."""
    figure = outcome.figures[0]
    last = outcome.values[figure.figure, methods[-1]]
    worst = last.argsort(descending=figure.better == "lower", stable=True)[:WORST].tolist()
    whys = dict.fromkeys(range(min(FIRST, len(some))), "among the first")
    whys |= dict.fromkeys(worst, f"among the worst of {methods[-1]}, by {figure.figure}")
    for row, why in sorted(whys.items()):
        own = {method: names[place * len(some) + row] for place, method in enumerate(methods)}
        yield Example(outcome.condition, some[row].prompt, why, own)
