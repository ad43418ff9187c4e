"""A training step of MIControlNet against a plain ControlNet's, as diffusers' own example takes it; cached and not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sluice.preprocess.record import Record
from sluice.preprocess.tabletop.words import caption
from sluice.training.data import Sample
from sluice.training.methods.control import ControlTraining
from sluice.training.methods.method import Batch, batch_of, noised
from sluice.training.networks.latent_model import LatentModel
from sluice.training.recipe import Recipe
from sluice.training.tabletop.family import family
from sluice.training.tabletop.scenes import Scenes
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

BATCH, ROUNDS, STEPS = 16, 5, 4
CACHED = frozenset({"latent.npy", "text.npy"})
SEEN = frozenset({"jpg", "txt"})
Step = Callable[[], None]


def run() -> list[Result]:
    """Steps of equal batches on the family's shapes, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        for name in ("vae", "text_encoder", "unet"):
            part = family(models)[name]
            part.save(part.network(models), models)
        model = LatentModel.load(models)
    records = _records()
    first, second = _recipe(), _recipe(conservativity=0.01)
    steps = {
        "as diffusers' example": _step(ControlTraining(_recipe("controlnet"), model, CACHED), records, _plain),
        "stage 1": _step(ControlTraining(first, model, CACHED), records),
        "stage 1, nothing cached": _step(ControlTraining(first, model, SEEN), records),
        "stage 2": _step(ControlTraining(second, model, CACHED), records),
    }
    seconds = in_turns(steps, ROUNDS, STEPS)
    pairs = (
        ("stage 1", "as diffusers' example", Goal("<=", 1.05)),
        ("stage 1, nothing cached", "stage 1", Goal(">=", 1.3)),
        ("stage 2", "stage 1", Goal("<=", 4)),
    )
    details = {f"{name}, samples/s": round(BATCH / value, 1) for name, value in seconds.items()}
    return [
        Result(f"step: {one} / {other}", seconds[one] / seconds[other], goal, details) for one, other, goal in pairs
    ]


def _recipe(method: str = "micontrolnet", conservativity: float = 0.0) -> Recipe:
    length = {"steps": 1, "batch": BATCH, "micro_batch": BATCH, "learning_rate": 1e-4}
    return Recipe.model_validate({"method": method, "control": "canny", "conservativity": conservativity, **length})


def _records() -> list[Record]:
    """Scenes with a control, and stand-ins of what would be cached."""
    rng, scenes = np.random.default_rng(0), Scenes()
    return [
        Record(
            f"{number:016x}",
            values={
                "jpg": scenes.render(number).image,
                "txt": caption(scenes.scene(number)),
                "canny.png": rng.integers(0, 2, (64, 64), dtype=np.uint8) * np.uint8(255),
                "latent.npy": rng.normal(size=(2, 4, 16, 16)).astype(np.float16),
                "text.npy": rng.normal(size=(77, 128)).astype(np.float16),
            },
        )
        for number in range(BATCH)
    ]


Losses = Callable[[ControlTraining, nn.Module, Batch], Mapping[str, Tensor]]


def _step(method: ControlTraining, records: list[Record], losses: Losses = ControlTraining.losses) -> Step:
    network = method.network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    batch = batch_of(method, [Sample(record, 0, n) for n, record in enumerate(records)], 0, method.model.unet)

    def step() -> None:
        optimizer.zero_grad()
        losses(method, network, batch)["loss"].backward()
        optimizer.step()

    return step


def _plain(method: ControlTraining, network: Any, batch: Batch) -> Mapping[str, Tensor]:
    """The U-Net called as a whole, with the ControlNet's residuals."""
    given = noised(method.model, method.recipe, batch)
    down, middle = network(given.x, given.t, given.states, batch.tensors["control"], return_dict=False)
    predicted = method.model.unet(
        given.x, given.t, given.states, down_block_additional_residuals=down, mid_block_additional_residual=middle
    ).sample
    return {"loss": F.mse_loss(predicted, given.noise)}
