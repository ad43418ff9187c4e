"""`sluice train RECIPE`: a network from a data set, by a recipe."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import torch
from rich.console import Console

from sluice.flows.training_data import Data, open_data, require_fields
from sluice.flows.training_page import SAMPLES, write_page
from sluice.flows.training_watch import TrainingWatch
from sluice.infra.models import find
from sluice.infra.storage import storage
from sluice.infra.whole import write_whole
from sluice.preprocess.record import Record
from sluice.training.checkpoints import Checkpoints
from sluice.training.data import Sample, Stream, TrainingData
from sluice.training.log import read_losses
from sluice.training.loop import train
from sluice.training.methods.compose_and_conquer import ComposeAndConquer
from sluice.training.methods.control import ControlTraining
from sluice.training.methods.method import Method
from sluice.training.networks.latent_model import LatentModel
from sluice.training.recipe import Recipe

LOSSES = "losses.jsonl"
VALIDATED = 256


def train_recipe(
    recipe: Recipe, uris: Sequence[str], weights: Sequence[float] | None, out: Path, engine: Path, console: Console
) -> Path:
    """Train, or go on; the network comes to `out/model` as diffusers reads it, `out` keeps what is needed to go on.

    `engine` is a file of DeepSpeed's settings. Raises MissingRecords, OtherTraining, CannotTrain, Diverged.
    """
    os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
    data = [open_data(uri) for uri in uris]
    model = LatentModel.load(find(recipe.base).path)
    method = _method(recipe, model, data)
    for uri, own in zip(uris, data, strict=True):
        require_fields(own, uri, method.fields, recipe.method)
    shards = [own.split("train", method.fields) for own in data]
    stream = Stream(shards, method.fields, recipe.seed, weights, recipe.window)
    steps = recipe.total_steps(sum(sum(own.counts) for own in shards))
    checkpoints = Checkpoints(storage(out / "checkpoints"), _identity(recipe, shards))
    write_whole(out / "recipe.json", recipe.model_dump_json(indent=1) + "\n")
    first = os.environ.get("RANK", "0") == "0"
    log = _Log(out, recipe, [own.digest for own in data], steps, console)
    held_out = [sample for own in data for sample in _held_out(own, method)]
    watch = TrainingWatch(method, recipe, model, held_out, out / SAMPLES, first)
    network = train(
        method, recipe, stream, steps, json.loads(engine.read_text()), checkpoints, log, watch, console.print
    )
    if first:
        method.save(network, out / "model")
        console.print(f"{recipe.method}: {out / 'model'}; the page of its training: {out / 'index.html'}")
    return out / "model"


def _held_out(data: Data, method: Method) -> Iterator[Sample]:
    """The first records of the validation split."""
    held = data.split("validation", method.fields)
    records = chain.from_iterable(held.read(shard, method.fields).items() for shard in held.shards if shard.keys)
    for position, (key, fields) in enumerate(islice(records, VALIDATED)):
        yield Sample(Record(key, dict(fields)), 0, position)


def _identity(recipe: Recipe, shards: Sequence[TrainingData]) -> dict[str, str]:
    """What cannot change while a training goes on; how many samples a process sees at once may."""
    names = {name: str(value) for name, value in recipe.model_dump(exclude={"micro_batch", "checkpoint_steps"}).items()}
    weights = {f"{name} weights": find(own).digest for name in ("base", "begin") if (own := getattr(recipe, name))}
    return names | weights | {f"data {number}": own.digest for number, own in enumerate(shards)}


def _method(recipe: Recipe, model: LatentModel, data: Sequence[Data]) -> Method:
    available = frozenset.intersection(*(own.fields for own in data))
    begin = find(recipe.begin).path if recipe.begin else None
    kind = ComposeAndConquer if recipe.method.startswith("cnc") else ControlTraining
    return kind(recipe, model, available, begin)


@dataclass
class _Log:
    """Losses as JSON lines, said, and on the page."""

    out: Path
    recipe: Recipe
    data: Sequence[str]
    steps: int
    console: Console
    began: float = field(default_factory=time.monotonic)
    first: int | None = None

    def __call__(self, step: int, losses: Mapping[str, float]) -> None:
        file = self.out / LOSSES
        before = [line for line in read_losses(file) if line["step"] < step]  # a killed run had logged later steps
        lines = [*before, {"step": step, **losses}]
        write_whole(file, "".join(json.dumps(line) + "\n" for line in lines))
        write_page(self.out, self.recipe, self.data, lines)
        if self.first is None:
            self.first, self.began = step, time.monotonic()
            return
        pace = (step - self.first) * self.recipe.batch / (time.monotonic() - self.began)
        left = (self.steps - step) * self.recipe.batch / pace / 60
        told = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        self.console.print(f"step {step} of {self.steps}, {told}; {pace:.0f}/s, {left:.0f} min left")
