"""What happens along a sampling that energies guide: how they fall, and how far they agree (Z-Magic, Figs. 1 and 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.run.batches import batches_of, instead, own_conditions
from sluice.flows.compose.run.pictures import MadeOf, pictures_of
from sluice.flows.compose.tree.job import Job
from sluice.flows.evaluate.cases import Case
from sluice.flows.evaluate.claims import Curve, by_case
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.inference.metrics.bootstrap import of_mean
from sluice.inference.watching import Watch, What

WATCHED = 8
"""Cases: they are sampled again, in this process."""
FIGURES = {"energy": "Energy", "cosine": "Cosine of what conditions add"}


def along(contest: Contest, condition: str, some: Sequence[Case], methods: Mapping[str, Tree]) -> Iterator[Curve]:
    """Of every energy, and of every two, a curve over the timesteps of each method."""
    sampling, some = contest.sampling, some[:WATCHED]
    for method, tree in methods.items():
        jobs = [sampling.job(case, tree(case), sampling.seeds * len(some)) for case in some]
        for (what, whose), by_time in _watched(jobs, contest.place).items():
            if what in FIGURES and by_time:
                means = [of_mean(by_case(values, sampling.seeds)) for values in by_time.values()]
                told = f"{FIGURES[what]}: {_unnumbered(whose)}", condition, method, "timesteps"
                yield Curve(*told, list(by_time), means, len(some))


def _watched(jobs: Sequence[Job], place: Path) -> Mapping[tuple[What, str], Mapping[int, Tensor]]:
    """By what and whom, then by timestep, `(pictures,)`, of jobs that differ in what conditions show or say."""
    made_of = MadeOf(place)
    (batch,) = batches_of([own for job in jobs for own in pictures_of(job, made_of)])
    composer = Composer(batch.job, place)
    composer.conditions.instead = instead([own_conditions(own) for own in batch.asked])
    composer.watch = Watch(len(batch.asked))
    composer([own.prompt for own in batch.asked], [own.seed for own in batch.asked])
    return composer.watch.notes.of


def _unnumbered(whose: str) -> str:
    """Energies without their numbers in the job."""
    return ", ".join(own.split(". ", 1)[-1] for own in whose.split(", "))
