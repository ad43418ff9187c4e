"""`sluice train RECIPE`: a network from a data set, by a recipe."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice.flows.training_data import Data, open_data, require_fields
from sluice.infra.models import find
from sluice.infra.storage import storage
from sluice.infra.whole import write_whole
from sluice.training.checkpoints import Checkpoints
from sluice.training.data import Stream, TrainingData
from sluice.training.recipe import Recipe


def train_recipe(
    recipe: Recipe, uris: Sequence[str], weights: Sequence[float] | None, out: Path, engine: Path, console: Console
) -> Path:
    """Train, or go on; the network comes to `out/model` as diffusers reads it, `out` keeps what is needed to go on.

    `engine` is a file of DeepSpeed's settings. Raises MissingRecords, OtherTraining, CannotTrain, Diverged.
    """
    os.environ.setdefault("DS_ACCELERATOR", "cpu" if not _has_gpu() else "cuda")
    from sluice.training.loop import train

    data = [open_data(uri) for uri in uris]
    method = _method(recipe, data)
    for uri, own in zip(uris, data, strict=True):
        require_fields(own, uri, method.fields, recipe.method)
    shards = [own.split("train", method.fields) for own in data]
    stream = Stream(shards, method.fields, recipe.seed, weights, recipe.window)
    steps = recipe.total_steps(sum(sum(own.counts) for own in shards))
    checkpoints = Checkpoints(storage(out / "checkpoints"), _identity(recipe, shards))
    write_whole(out / "recipe.json", recipe.model_dump_json(indent=1) + "\n")
    progress = _Log(out / "losses.jsonl", recipe, steps, console)
    network = train(method, recipe, stream, steps, json.loads(engine.read_text()), checkpoints, progress, console.print)
    if os.environ.get("RANK", "0") == "0":
        method.save(network, out / "model")
        console.print(f"{recipe.method}: {out / 'model'}")
    return out / "model"


def _identity(recipe: Recipe, shards: Sequence[TrainingData]) -> dict[str, str]:
    """What cannot change while a training goes on; how many samples a process sees at once may."""
    names = {name: str(value) for name, value in recipe.model_dump(exclude={"micro_batch", "checkpoint_steps"}).items()}
    weights = {f"{name} weights": find(own).digest for name in ("base", "begin") if (own := getattr(recipe, name))}
    return names | weights | {f"data {number}": own.digest for number, own in enumerate(shards)}


def _method(recipe: Recipe, data: Sequence[Data]) -> Any:
    from sluice.training.methods.compose_and_conquer import ComposeAndConquer
    from sluice.training.methods.control import ControlTraining
    from sluice.training.networks.latent_model import LatentModel

    model = LatentModel.load(find(recipe.base).path)
    available = frozenset.intersection(*(own.fields for own in data))
    begin = find(recipe.begin).path if recipe.begin else None
    kind = ComposeAndConquer if recipe.method.startswith("cnc") else ControlTraining
    return kind(recipe, model, available, begin)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@dataclass
class _Log:
    """Losses as JSON lines, and said."""

    file: Path
    recipe: Recipe
    steps: int
    console: Console
    began: float = field(default_factory=time.monotonic)
    first: int | None = None

    def __call__(self, step: int, losses: Mapping[str, float]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as log:
            log.write(json.dumps({"step": step, **losses}) + "\n")
        if self.first is None:
            self.first, self.began = step, time.monotonic()
            return
        pace = (step - self.first) * self.recipe.batch / (time.monotonic() - self.began)
        left = (self.steps - step) * self.recipe.batch / pace / 60
        told = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        self.console.print(f"step {step} of {self.steps}, {told}; {pace:.0f}/s, {left:.0f} min left")
