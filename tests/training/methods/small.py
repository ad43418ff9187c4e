"""Two records with every field, and a small frozen model that is trained on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sluice.preprocess.record import Record
from sluice.training.data import Sample
from sluice.training.methods.method import Batch, Method, batch_of
from sluice.training.networks.latent_model import LatentModel
from sluice.training.recipe import Recipe
from tests.small_unet import small_model

CACHED = {"latent.npy", "text.npy", "json"}


def model_of(widths: tuple[int, int] = (8, 16)) -> LatentModel:
    return small_model(_Frozen, widths=widths)


class _Frozen(LatentModel):
    """Without a text encoder: captions come with their states."""

    def states(self, prompts: Any) -> torch.Tensor:
        return torch.zeros(len(prompts), 5, 6)


def recipe(method: str, **values: Any) -> Recipe:
    plain = {"size": 32, "steps": 2, "batch": 2, "micro_batch": 2, "learning_rate": 1e-3, "drop_text": 0.0}
    return Recipe.model_validate({"method": method, **plain, **values})


def records() -> list[Record]:
    rng = np.random.default_rng(0)
    grey, depths = (
        (lambda kind: rng.integers(0, np.iinfo(kind).max, (32, 32)).astype(kind)),
        ("depth", "fg_depth", "bg_depth"),
    )
    return [
        Record(
            f"{number:016x}",
            values={
                "latent.npy": rng.normal(size=(2, 4, 8, 8)).astype(np.float16),
                "text.npy": rng.normal(size=(5, 6)).astype(np.float16),
                "segments.png": np.repeat(np.arange(4, dtype=np.uint16), 256).reshape(32, 32),
                "canny.png": grey(np.uint8),
                "mask.png": (grey(np.uint8) > 99).astype(np.uint8) * 255,
                "clip.npy": rng.normal(size=6).astype(np.float16),
                "bg_clip.npy": rng.normal(size=6).astype(np.float16),
                **{f"{name}.png": grey(np.uint16) for name in depths},
            },
        )
        for number in range(2)
    ]


def batch(method: Method, positions: tuple[int, int] = (0, 1)) -> Batch:
    samples = [Sample(record, 0, position) for record, position in zip(records(), positions, strict=True)]
    return batch_of(method, samples, 0, method.model.unet)
