"""The compose flow: what is left of a job, in this process or as a Prefect flow over Ray's actors."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from sluice.flows.compose.composer import Composer
from sluice.flows.compose.job import Job
from sluice.flows.compose.pictures import QUARANTINE, Asked, make, pictures_of, quarantine
from sluice.flows.prefect_server import prefect_server
from sluice.flows.session import ray_session
from sluice.flows.stage_flow import run_stage_flow
from sluice.infra.errors import SluiceError
from sluice.infra.execute import Dispatcher, Unit
from sluice.infra.settings import ConfigError
from sluice.infra.storage import Storage, storage
from sluice.preprocess.graph import Resources

KIND = "pictures"
THREADS = 1
"""Of a processor: with another number of them sums have other bits."""
DEADLY = "its worker died of it twice"


class ChangedSince(SluiceError):
    """What a picture was made of is not what it was."""


@dataclass(frozen=True)
class Workers:
    """Actors of Ray, so many, of the cluster at `address` or of this machine."""

    count: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class Composed:
    """The names of a job's pictures, and of those that could not be made."""

    made: Sequence[str]
    quarantined: Sequence[str]


@dataclass(frozen=True)
class Batch:
    """Pictures that are made together, or are not to be made."""

    asked: tuple[Asked, ...]
    deadly: bool = False


@dataclass(frozen=True)
class ComposeWork:
    """What an actor does: load a job once and make its pictures, a batch at a time."""

    job: Job
    folder: Path
    out: Storage

    def open(self, kind: str) -> Callable[[Batch], dict[str, list[int]]]:  # noqa: ARG002 - there is one
        torch.set_num_threads(THREADS)
        composer = Composer(self.job, self.folder, "cuda" if torch.cuda.is_available() else "cpu")
        return partial(self._run, composer)

    def halve(self, batch: Batch) -> tuple[Batch, Batch] | None:
        """A batch that kills its worker, in two; each is filled up again."""
        half = len(batch.asked) // 2
        return (Batch(batch.asked[:half]), Batch(batch.asked[half:])) if half else None

    def mark(self, batch: Batch) -> Batch:
        """The picture that kills its worker."""
        return replace(batch, deadly=True)

    def _run(self, composer: Composer, batch: Batch) -> dict[str, list[int]]:
        if batch.deadly:
            quarantine(batch.asked, DEADLY, self.out)
            return {}
        there = {Path(entry.path).name for entry in self.out.list()}
        left = [own for own in batch.asked if f"{own.name}.json" not in there]  # halves have made them, or given up
        return self.make(composer, left) if left else {}

    def make(self, composer: Composer, asked: Sequence[Asked]) -> dict[str, list[int]]:
        """Pictures that are not there."""
        return make(composer, asked, self.out)


def compose(job: Job, folder: Path, out: str | Path, console: Console, workers: Workers | None = None) -> Composed:
    """Make the pictures of a job, with conditions in `folder`, that `out` lacks; what was quarantined is tried again.

    Raises ConfigError, and what stops a run.
    """
    asked, place = list(pictures_of(job, folder)), storage(out)
    there = {entry.path for entry in place.list()}
    left = [own for own in asked if f"{own.name}.json" not in there]
    place.delete(f"{QUARANTINE}/{own.name}.json" for own in left if f"{QUARANTINE}/{own.name}.json" in there)
    batches = [Batch(tuple(left[start : start + job.batch])) for start in range(0, len(left), job.batch)]
    if batches:
        (_here if workers is None else partial(_over_ray, workers))(ComposeWork(job, folder, place), batches, console)
    there = {entry.path for entry in place.list()}
    bad = [own.name for own in asked if f"{QUARANTINE}/{own.name}.json" in there]
    return Composed([own.name for own in asked if own.name not in bad], bad)


def again(picture: Path, out: Path, console: Console) -> Path:
    """Make a picture once more from the record beside it. Raises ConfigError, ChangedSince."""
    file = picture.with_suffix(".json")
    if not file.is_file():
        raise ConfigError(f"{picture} has no {file.name} beside it, which says how it was made")
    record = json.loads(file.read_text())
    job, folder = Job.model_validate(record["job"]), Path(record["folder"])
    (asked,) = pictures_of(job, folder)
    changed = [name for name, digest in record["made_of"].items() if asked.record["made_of"].get(name) != digest]
    if changed:
        raise ChangedSince(f"{picture} was made of other files than are there now: {', '.join(changed)}")
    (name,) = compose(job, folder, out, console).made
    return out / f"{name}.png"


def _here(work: ComposeWork, batches: Sequence[Batch], console: Console) -> None:
    composer = Composer(work.job, work.folder, "cuda" if torch.cuda.is_available() else "cpu")
    for told in composer.cut(work.job.prompts):
        console.print(f"this prompt is longer than its model reads, and was cut: {told}", style="yellow")
    total, done, threads = sum(len(batch.asked) for batch in batches), 0, torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        for batch in batches:
            _say_left_out(work.make(composer, batch.asked), console)
            done += len(batch.asked)
            console.print(f"{done} of {total} pictures")
    finally:
        torch.set_num_threads(threads)


def _over_ray(workers: Workers, work: ComposeWork, batches: Sequence[Batch], console: Console) -> None:
    units = [Unit(f"{KIND}/{batch.asked[0].name}", KIND, batch) for batch in batches]
    total, done = len(units), 0

    def arrived(unit: Unit, left_out: dict[str, list[int]]) -> None:
        nonlocal done
        _say_left_out(left_out, console)
        if unit in units:  # not the half of one that killed its worker
            done += 1
            console.print(f"{done} of {total} batches of {work.job.batch}")

    with prefect_server(), ray_session(workers.address, workers.count):
        import ray

        gpus = 1.0 if ray.cluster_resources().get("GPU", 0) else 0.0  # type: ignore[no-untyped-call]
        with Dispatcher(work, {KIND: Resources(gpus=gpus)}, arrived, workers.count) as dispatcher:
            dispatcher.submit(units)
            run_stage_flow("sluice-compose", "compose", dispatcher, units, lambda: None)


def _say_left_out(left_out: dict[str, list[int]], console: Console) -> None:
    if left_out:
        console.print(f"left out where they had no finite gradient, in one batch: {left_out}", style="yellow")
