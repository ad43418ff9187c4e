"""Pictures of a batch, made in this process: cut to what memory holds, judged, each with what is to be known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.bound.cut import cut
from sluice.flows.compose.run.batches import Batch, instead, own_conditions
from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.run.safety import Screen, Verdict, judged, screen_of
from sluice.flows.compose.run.watched import PICTURES, plain_notes
from sluice.flows.compose.tree.job import Job
from sluice.inference.watching import Watch
from sluice.infra.code import code_version
from sluice.infra.errors import SluiceError
from sluice.preprocess.record import Array
from sluice.training.networks.latent_model import LatentModel

NO_NUMBER = "it has values that are no numbers"
CPU_MEMORY = "can't allocate memory"


class TooLarge(SluiceError):
    """Not even one picture fits into memory."""

    exit_code = 1


@dataclass(frozen=True)
class Made:
    """A picture, RGB uint8 `(height, width, 3)`, and what came of it; `refused` says why it is not to be shown.

    `watched` is how it came about, where somebody watched.
    """

    asked: Asked
    pixels: Array
    noted: Mapping[str, Any]
    refused: str | None = None
    watched: Mapping[str, Any] | None = None

    @property
    def record(self) -> dict[str, Any]:
        return {**self.asked.record, **self.noted}


class Maker:
    """Makes batches of one job after another; what they share is loaded once, models that are `loaded` not at all."""

    def __init__(self, folder: Path, device: str, loaded: Mapping[str, LatentModel] | None = None) -> None:
        self.folder, self.device, self.loaded = folder, device, loaded
        self.composer: Composer | None = None
        self.screens: dict[str, Screen | None] = {}
        self.fits: dict[Job, int] = {}

    def __call__(self, batch: Batch) -> list[Made]:
        """Its pictures, in as many parts as memory asks for once it is rid of other jobs' models. Raises TooLarge."""
        size = min(batch.size, self.fits.get(batch.job, batch.size))
        while True:
            alone = self.composer is None
            try:
                return list(self._parts(batch, size))
            except (RuntimeError, MemoryError) as error:
                if not _of_memory(error):
                    raise
                if alone:
                    size = self.fits[batch.job] = _halved(error, size)
            self._forget()

    def _parts(self, batch: Batch, size: int) -> Iterator[Made]:
        composer = self._composer(batch.job)
        for start in range(0, len(batch.asked), size):
            yield from self._made(composer, batch.asked[start : start + size], size, batch.watched and start == 0)

    def _composer(self, job: Job) -> Composer:
        if self.composer is None:
            self.composer = Composer(job, self.folder, self.device, self.loaded)
        elif self.composer.job != job:
            self.composer = self.composer.of(job)
        return self.composer

    def _forget(self) -> None:
        """What was loaded, this job's too."""
        self.composer = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _made(self, composer: Composer, asked: Sequence[Asked], size: int, watched: bool) -> Iterator[Made]:
        """In a batch of always the same shape, filled up with the last: each has the same bytes in any."""
        filled = [*asked, *[asked[-1]] * (size - len(asked))]
        composer.conditions.instead = instead([own_conditions(own) for own in filled])
        composer.watch = Watch(min(PICTURES, len(asked))) if watched else None
        pictures = composer([own.prompt for own in filled], [own.seed for own in filled])
        for place, own in enumerate(asked):
            noted = _noted(composer, own, place, size)
            if not pictures[place].isfinite().all():
                yield Made(own, _pixels(pictures[place].nan_to_num()), noted, NO_NUMBER)
                continue
            pixels = _pixels(pictures[place])
            verdict = self._judged(own.record["job"]["safety"], pixels)
            refused = f"{verdict.by} finds it unsafe: {verdict.unsafe}" if verdict.refused else None
            yield Made(own, pixels, {**noted, "safety": verdict.plain()}, refused, _watched(composer, place))

    def _judged(self, by: str, pixels: Array) -> Verdict:
        if by not in self.screens:
            self.screens[by] = screen_of(by, self.device)
        return judged(by, self.screens[by], pixels)


def _noted(composer: Composer, own: Asked, place: int, size: int) -> dict[str, Any]:
    """What its job does not tell of a picture: code, energies and when left out, which texts or whose batch was cut."""
    steps = {
        f"energies.{number}": [t for t, which in left_out if which == place]
        for number, left_out in composer.left_out.items()
    }
    noted: dict[str, Any] = {"code": code_version(), "left_out": {energy: at for energy, at in steps.items() if at}}
    if composer.energies:
        noted["energies"] = composer.energies
    if texts := cut(Job.model_validate(own.record["job"]), composer.parts):
        noted["cut"] = texts
    return noted if size == composer.job.batch else {**noted, "batch": size}


def _watched(composer: Composer, place: int) -> dict[str, Any] | None:
    if composer.watch is None or place >= composer.watch.count:
        return None
    return plain_notes(
        composer.watch, place, lambda latents: _pixels(composer.decode(latents.to(composer.device))[0].nan_to_num())
    )


def _of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or CPU_MEMORY in str(error)


def _halved(error: Exception, size: int) -> int:
    if size == 1:
        raise TooLarge(f"not even one picture fits into memory ({error}); lower the job's `size`") from error
    return (size + 1) // 2


def _pixels(picture: Tensor) -> Array:
    pixels: Array = ((picture.cpu().float() + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return pixels
