"""`sluice train RECIPE`: a network from a data set, by a recipe."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from sluice.flows.training.card import CARD, CHECKPOINTS, SNAPSHOTS, identity_in, write_card, write_origin
from sluice.flows.training.data import Data, fields_for, open_data, require_fields
from sluice.flows.training.logged import LOSSES, TrainingLog, is_first
from sluice.flows.training.page import SAMPLES
from sluice.flows.training.trackers import TrackerName, tracker
from sluice.flows.training.watch import TrainingWatch
from sluice.infra.lock import alone_in
from sluice.infra.settings import ConfigError
from sluice.infra.storage import storage
from sluice.infra.weights.models import find
from sluice.infra.whole import write_whole
from sluice.preprocess.record import Record
from sluice.training.checkpoints import Checkpoints, require_same
from sluice.training.data import Sample, Stream, TrainingData
from sluice.training.divergence import Diverged
from sluice.training.engine import dtype_of, require_possible
from sluice.training.log import read_losses
from sluice.training.loop import train
from sluice.training.methods.compose_and_conquer import ComposeAndConquer
from sluice.training.methods.control import ControlTraining
from sluice.training.methods.method import Method
from sluice.training.networks.latent_model import LatentModel
from sluice.training.recipe import Recipe

LEFT_OUT = "left-out.txt"
VALIDATED = 256
EXECUTION = {
    "micro_batch", "gradient_checkpointing", "deterministic", "checkpoint_steps", "keep_checkpoints", "watch_steps",
    "snapshot_steps",
}  # fmt: skip
MODELS = {"base", "begin"}
"""Whose weights count, and not where they lie."""


@dataclass(frozen=True)
class Prepared:
    """A recipe with its data and its frozen model, ready to be estimated or trained."""

    recipe: Recipe
    model: LatentModel
    method: Method
    data: Sequence[Data]
    shards: Sequence[TrainingData]
    stream: Stream
    weights: Sequence[float] | None = None

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return self.recipe.total_steps(sum(sum(own.counts) for own in self.shards))

    @property
    def identity(self) -> dict[str, str]:
        """What cannot change while a training goes on; how many samples a process sees at once may."""
        names = {name: str(value) for name, value in self.recipe.model_dump(exclude=EXECUTION | MODELS).items()}
        models = {name: own for name in sorted(MODELS) if (own := getattr(self.recipe, name))}
        weights = {f"{name} weights": find(own).digest for name, own in models.items()}
        data = {f"data {number}": own.digest for number, own in enumerate(self.shards)}
        withdrawn = {f"withdrawn {number}": own.withdrawn for number, own in enumerate(self.data) if own.withdrawn}
        mixed = {f"weight {number}": str(own) for number, own in enumerate(self.weights or ())}
        return names | weights | data | withdrawn | mixed


def prepare(
    recipe: Recipe, uris: Sequence[str], weights: Sequence[float] | None, settings: Mapping[str, Any]
) -> Prepared:
    """Open data sets and models, and check that they belong together; `settings` are DeepSpeed's.

    Raises MissingRecords, UnknownModel, ConfigError, CannotTrain.
    """
    gpu = torch.cuda.is_available()
    os.environ.setdefault("DS_ACCELERATOR", "cuda" if gpu else "cpu")
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if gpu else "cpu"
    require_weights(uris, weights)
    require_possible(recipe, settings)
    data = [open_data(uri) for uri in uris]
    model = LatentModel.load(find(recipe.base).path, device, dtype_of(settings))
    predicts = model.scheduler.config.prediction_type
    if predicts != "epsilon":
        raise ConfigError(f"{recipe.base} predicts `{predicts}`, and recipes train with a base that predicts the noise")
    if recipe.size % model.scale:
        raise ConfigError(
            f"size {recipe.size} is no multiple of {model.scale}, the pixels for one latent of {recipe.base}"
        )
    available = frozenset.intersection(*(fields_for(own, find(recipe.base).digest) for own in data))
    begin = find(recipe.begin).path if recipe.begin else None
    kind = ComposeAndConquer if recipe.method.startswith("cnc") else ControlTraining
    method = kind(recipe, model, available, begin)
    for uri, own in zip(uris, data, strict=True):
        require_fields(own, uri, method.fields, recipe.method)
    shards = [own.split("train", method.fields) for own in data]
    stream = Stream(shards, method.fields, recipe.seed, weights, recipe.window)
    return Prepared(recipe, model, method, data, shards, stream, weights)


def require_weights(uris: Sequence[str], weights: Sequence[float] | None) -> None:
    """Raises ConfigError unless each data set has a weight above 0, or none has one."""
    if not weights:
        return
    if len(weights) != len(uris):
        raise ConfigError(f"there are {len(weights)} --weight for {len(uris)} --data: give one for each, or none")
    wrong = [own for own in weights if not 0 < own < math.inf]
    if wrong:
        raise ConfigError(f"--weight is a number above 0, not {wrong[0]:g}: leave out its --data to take none of it")


def train_prepared(
    prepared: Prepared,
    settings: Mapping[str, Any],
    out: Path,
    console: Console,
    track: Sequence[TrackerName] = (),
    states: str | None = None,
) -> Path:
    """Train, or go on: the network comes to `out/model` as diffusers reads it.

    `settings` are DeepSpeed's, `track` where figures go beside the folder's own log, `states` a folder or s3:// where
    checkpoints are kept, if not in `out`. Raises OtherTraining, CannotTrain, Diverged, MissingTracker, Occupied.
    """
    with alone_in(out) if is_first() else nullcontext():
        return _train(prepared, settings, out, console, track, states)


def _train(
    prepared: Prepared,
    settings: Mapping[str, Any],
    out: Path,
    console: Console,
    track: Sequence[TrackerName],
    states: str | None,
) -> Path:
    recipe, method, first = prepared.recipe, prepared.method, is_first()
    checkpoints = Checkpoints(storage(states or out / CHECKPOINTS), prepared.identity, recipe.keep_checkpoints)
    require_same(str(out), identity_in(out) or prepared.identity, prepared.identity)
    if (out / "model" / CARD).is_file() and identity_in(out / "model") == prepared.identity:
        console.print(f"{recipe.method}: trained already ({out / 'model'})")
        return out / "model"
    checkpoints.require_own()
    if first:
        checkpoints.claim()
        write_whole(out / "recipe.json", recipe.model_dump_json(indent=1) + "\n")
        write_origin(out, recipe, prepared.steps, prepared.identity, prepared.shards, states)
        _warn_of_no_begin(recipe, console)
    settings_told = recipe.model_dump(exclude_none=True)
    trackers = [tracker(name, out, recipe.method, settings_told) for name in track] if first else []
    log = TrainingLog(out, recipe, [own.digest for own in prepared.shards], prepared.steps, console, trackers)
    held_out = [sample for own in prepared.data for sample in _held_out(own, method)]
    watch = TrainingWatch(method, recipe, prepared.model, held_out, out / SAMPLES, first)

    def snapshot(network: nn.Module, step: int) -> None:
        if first:
            method.save(network, out / SNAPSHOTS / f"{step:09}")

    try:
        with log:
            network = train(
                method, recipe, prepared.stream, prepared.steps, settings, checkpoints, log, watch, snapshot,
                console.print,
            )  # fmt: skip
    except Diverged as error:
        if not error.keys:
            raise
        if first:
            write_whole(out / LEFT_OUT, "".join(f"{key}\n" for key in error.keys))
        raise Diverged(f"{error} (the keys of its records: {out / LEFT_OUT})", error.keys) from error
    if first:
        method.save(network, out / "model")
        write_origin(out / "model", recipe, prepared.steps, prepared.identity, prepared.shards)
        write_card(out / "model", recipe, prepared.identity, read_losses(out / LOSSES))
        console.print(f"{recipe.method}: {out / 'model'}; the page of its training: {out / 'index.html'}")
    return out / "model"


def _warn_of_no_begin(recipe: Recipe, console: Console) -> None:
    """Say so where a stage that follows another one begins from the base, or its global fuser from nothing."""
    if recipe.begin and recipe.method == "cnc-joint" and not (find(recipe.begin).path / "global").is_dir():
        console.print(f"{recipe.begin} is one network: the local fuser begins from it, the global one anew.")
    if recipe.begin is None and (recipe.conservativity or recipe.method == "cnc-joint"):
        console.print(f"No `begin` is named: this begins from {recipe.base}, and not from an earlier stage's network.")


def _held_out(data: Data, method: Method) -> Iterator[Sample]:
    """The first records of the validation split."""
    held = data.split("validation", method.fields)
    records = chain.from_iterable(held.read(shard, method.fields).items() for shard in held.shards if shard.keys)
    for position, (key, fields) in enumerate(islice(records, VALIDATED)):
        yield Sample(Record(key, dict(fields)), 0, position)
