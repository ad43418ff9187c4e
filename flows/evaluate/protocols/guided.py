"""What happens along a sampling that energies guide: how they fall, and how far they agree (Z-Magic, Figs. 1 and 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.evaluate.cases import Case
from sluice.flows.evaluate.claims import Curve, by_case
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.inference.metrics.bootstrap import of_mean
from sluice.inference.watching import Watch

WATCHED = 8
"""Cases: they are sampled again, in this process."""
FIGURES = {"energy": "Energy", "cosine": "Cosine of what conditions add"}
Notes = dict[tuple[str, str], dict[int, Tensor]]


def along(contest: Contest, condition: str, some: list[Case], methods: Mapping[str, Tree]) -> Iterator[Curve]:
    """Of every energy, and of every two, a curve over the timesteps of each method."""
    some, composer = some[:WATCHED], None
    for method, tree in methods.items():
        notes: list[Notes] = []
        for case in some:
            job = contest.sampling.job(case, tree(case), contest.sampling.seeds)
            composer = composer.of(job) if composer else Composer(job, contest.place)
            notes.append(_watched(composer, case))
        for what, whose in notes[0]:
            if what in FIGURES:
                by_time = [own.get((what, whose), {}) for own in notes]
                # A condition that some case never heard at a time says nothing of that time.
                times = [t for t in by_time[0] if all(t in own for own in by_time)]
                means = [
                    of_mean(by_case(torch.cat([own[t] for own in by_time]), contest.sampling.seeds)) for t in times
                ]
                if not times:
                    continue
                told = f"{FIGURES[what]}: {_unnumbered(whose)}", condition, method, "timesteps"
                yield Curve(*told, times, means, len(some))


def _watched(composer: Composer, case: Case) -> Notes:
    """By what and whom, then by timestep, `(seeds,)`."""
    seeds = composer.job.seeds
    composer.watch = Watch(len(seeds))
    composer([case.prompt] * len(seeds), seeds)
    return {(what, whose): dict(by_time) for (what, whose), by_time in composer.watch.notes.of.items()}


def _unnumbered(whose: str) -> str:
    """Energies without their numbers in the job."""
    return ", ".join(own.split(". ", 1)[-1] for own in whose.split(", "))
