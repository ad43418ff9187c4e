"""Methods against each other over the same cases and the same noise, by figures of what their pictures show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.cases import CONTROLS, Case, cases
from sluice.flows.evaluate.claims import Curve, Estimate, Example, by_case
from sluice.flows.evaluate.extracted import HED, is_here
from sluice.flows.evaluate.made import made
from sluice.flows.evaluate.methods import Method, Networks, Sampling
from sluice.flows.evaluate.obeyed import Obeyed
from sluice.flows.evaluate.outcome import Outcome
from sluice.flows.evaluate.populations import Population, from_true
from sluice.flows.evaluate.trees import guided, plain
from sluice.preprocess.perception.judges import Judges

AT_ONCE = 32
FIRST, WORST = 3, 2
"""Cases of each condition that are shown."""
Tree = Callable[[Case], Mapping[str, Any]]
"""A method: the tree of a case's job."""


@dataclass(frozen=True)
class Contest:
    """The pictures of every method for every case, kept in `place`; `networks` are those of controls.

    `examples` fills with cases that are worth showing, `populations` with how far sets of pictures are from true ones,
    `left_out` with what cannot be measured and what would help, `curves` with what changes along something.
    """

    sampling: Sampling
    place: Path
    console: Console
    networks: Networks
    examples: list[Example] = field(default_factory=list)
    populations: list[Estimate] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)

    @cached_property
    def judges(self) -> Judges:
        """The family's own, who say what pictures show."""
        return Judges.load(found(f"{self.sampling.base}/judges").path)

    def under(self, method: Method, told: Callable[[Case], Sequence[Mapping[str, Any]]]) -> Tree:
        """The tree of a method under controls, guided, in plain steps."""
        return lambda case: plain(
            guided(method.model(self.sampling.alone, self.networks, told(case)), self.sampling.guidance)
        )

    def controls(self, count: int) -> dict[str, list[Case]]:
        """So many cases for each control, but for edges that no network is here to draw."""
        here = dict(CONTROLS)
        if HED in here and not is_here(HED):
            self.leave_out(HED, HED)
            here.pop(HED)
        return {control: cases(law, count) for control, law in here.items()}

    def leave_out(self, what: str, weights: str) -> None:
        """Say, here and in the results, what cannot be measured for want of some weights."""
        self.left_out[what] = f"`sluice models pull {weights}`"
        self.console.print(f"{what} is left out: its weights are not here; {self.left_out[what]}", style="yellow")

    def __call__(
        self,
        condition: str,
        some: list[Case],
        methods: Mapping[str, Tree],
        figures: Sequence[Obeyed],
        together: bool = False,
        populations: Sequence[Population] | None = None,
    ) -> Outcome:
        """What the methods' pictures show. Raises NotMade.

        Those of one case are made at once, or of many `together`, where trees differ in controls' images alone. As sets
        they are set beside the cases' true pictures, unless `populations` says otherwise.
        """
        seeds = self.sampling.seeds
        batch = min(AT_ONCE, seeds * len(some)) if together else seeds
        jobs = [self.sampling.job(case, tree(case), batch) for tree in methods.values() for case in some]
        self.console.print(f"{condition}: {', '.join(methods)}")
        pictures = made(jobs, self.place, self.console)
        each = [case for case in some for _ in range(seeds)]
        by_method = dict(zip(methods, pictures.pixels.chunk(len(methods)), strict=True))
        values = {
            (figure.figure, name): by_case(figure.of(own, each), seeds)
            for figure in figures
            for name, own in by_method.items()
        }
        outcome = Outcome(condition, tuple(figures), values)
        for population in [from_true(self.judges)] if populations is None else populations:
            self.populations.extend(population(condition, by_method, some, seeds))
        self.examples.extend(examples(outcome, some, pictures.names[::seeds], list(methods)))
        return outcome


def examples(outcome: Outcome, some: Sequence[Case], names: Sequence[str], methods: Sequence[str]) -> Iterator[Example]:
    """The first cases, and those in which the last method does worst by the first figure; `names` case by case."""
    figure = outcome.figures[0]
    last = outcome.values[figure.figure, methods[-1]]
    worst = last.argsort(descending=figure.better == "lower")[:WORST].tolist()
    whys = dict.fromkeys(worst, f"among the worst of {methods[-1]}, by {figure.figure}")
    whys |= dict.fromkeys(range(min(FIRST, len(some))), "among the first")
    for row, why in sorted(whys.items()):
        own = {method: names[place * len(some) + row] for place, method in enumerate(methods)}
        yield Example(outcome.condition, some[row].prompt, why, own)
