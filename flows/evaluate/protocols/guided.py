"""What happens along a sampling that energies guide: how they fall, and how far they agree (Z-Magic, Figs. 1 and 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.run.batches import batches_of, instead, own_conditions
from sluice.flows.compose.run.pictures import Asked, MadeOf, pictures_of
from sluice.flows.evaluate.cases import Case
from sluice.flows.evaluate.claims import Curve, by_case
from sluice.flows.evaluate.contest import Contest, Tree
from sluice.flows.evaluate.kept import kept
from sluice.inference.metrics.bootstrap import MINIMUM, of_mean
from sluice.inference.watching import Watch

WATCHED = 8
"""Cases at most, of half of them: they are sampled again, in this process, which of few takes most of the time."""
FIGURES = {"energy": "Energy", "cosine": "Cosine of what conditions add"}


def along(contest: Contest, condition: str, some: Sequence[Case], methods: Mapping[str, Tree]) -> Iterator[Curve]:
    """Of every energy, and of every two, a curve over the timesteps of each method."""
    sampling, some = contest.sampling, some[: max(MINIMUM, min(WATCHED, len(some) // 2))]
    for method, tree in methods.items():
        jobs = [sampling.job(case, tree(case), sampling.seeds * len(some)) for case in some]
        made_of = MadeOf(contest.place)
        asked = [own for job in jobs for own in pictures_of(job, made_of)]
        told = ["along", *(own.name for own in asked)]
        for figure, whose, at, values in kept(contest.place, told, partial(_watched, asked, contest.place)):
            means = [of_mean(by_case(torch.tensor(own), sampling.seeds)) for own in values]
            yield Curve(f"{figure}: {_unnumbered(whose)}", condition, method, "timesteps", at, means, len(some))


def _watched(asked: Sequence[Asked], place: Path) -> list[tuple[str, str, list[int], list[list[float]]]]:
    """Figures and whose, their timesteps, and at each of these a value a picture, of a batch that is made again."""
    (batch,) = batches_of(asked)
    composer = Composer(batch.job, place)
    composer.conditions.instead = instead([own_conditions(own) for own in batch.asked])
    composer.watch = Watch(len(batch.asked))
    composer([own.prompt for own in batch.asked], [own.seed for own in batch.asked])
    noted = composer.watch.notes.of.items()
    return [
        (FIGURES[what], whose, list(by_time), [values.tolist() for values in by_time.values()])
        for (what, whose), by_time in noted
        if what in FIGURES and by_time
    ]


def _unnumbered(whose: str) -> str:
    """Energies without their numbers in the job."""
    return ", ".join(own.split(". ", 1)[-1] for own in whose.split(", "))
