"""Training samples a second, for each part of the tabletop family: data made beside it, and on a ready batch."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from sluice.training.tabletop.denoiser import Denoiser
from sluice.training.tabletop.family import family
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.latents import CHUNK
from sluice.training.tabletop.loop import AHEAD, Training
from sluice.training.tabletop.recipe import Batch, Part
from tests.benchmarks.result import Goal, Result

SECONDS = 8.0
ROUNDS = 2
GOAL = Goal(">=", 0.9)


def run() -> list[Result]:
    """For each part, how much of a ready batch's pace is left where batches must be made."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        parts = family(Path(folder))
        for part in parts.values():
            part.save(part.network(models), models)
        return [_measure(part, models) for part in parts.values()] + [_in_threads(parts["unet"], models)]


def _measure(part: Part, models: Path) -> Result:
    if isinstance(part, LatentPart):
        part.count = CHUNK
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    part.prepare(models, device, lambda _: None)
    training = Training(part, models, models / "unused", 0, device)
    ready = itertools.repeat(next(training._batches()))
    _pace(training, ready, 1.0)
    rounds = [(_made_pace(training), _pace(training, ready, SECONDS)) for _ in range(ROUNDS)]
    paces = [statistics.median(column) for column in zip(*rounds, strict=True)]
    details = {"samples/s": round(paces[0]), "on a ready batch": round(paces[1]), "batch": part.recipe.batch}
    return Result(f"training {part.name}: data made beside it / ready", paces[0] / paces[1], GOAL, details)


class Whole(Denoiser):
    """The U-Net, its batches not in shares: torch's own threads, in every operation."""

    share = None


def _in_threads(unet: Part, models: Path) -> Result:
    """What a thread for each share of a batch is worth."""
    whole = Whole(unet.scenes, unet.recipe, models, CHUNK)
    trainings = [Training(part, models, models / "unused", 0, torch.device("cpu")) for part in (unet, whole)]
    ready = itertools.repeat(next(trainings[0]._batches()))
    whole.null = unet.null
    rounds = [[_pace(training, ready, SECONDS) for training in trainings] for _ in range(ROUNDS)]
    shared, plain = (statistics.median(column) for column in zip(*rounds, strict=True))
    details = {"samples/s": round(shared), "whole": round(plain), "share": unet.share}
    return Result("training unet: shares in threads / whole batches", shared / plain, Goal(">=", 1.3), details)


def _made_pace(training: Training) -> float:
    """Without those batches that are made before the first step; the thread ends with the round."""
    made = training._batches()
    for _ in range(AHEAD):
        next(made)
    pace = _pace(training, made, SECONDS)
    made.close()
    return pace


def _pace(training: Training, batches: Iterator[Batch], seconds: float) -> float:
    began, first = time.monotonic(), training.step
    while (passed := time.monotonic() - began) < seconds:
        training._train(next(batches))
    return (training.step - first) * training.part.recipe.batch / passed
