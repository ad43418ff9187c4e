"""Latents and text states of many scenes, made once and kept in a folder of bounded size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.words import caption
from sluice.training.tabletop.scenes import Scenes, pixels

CHUNK = 500
FIELDS = ("mean", "deviation", "states")


@dataclass(frozen=True)
class Latents:
    """The first `count` of some scenes: posterior mean and deviation `(4, h, w)` and text states `(77, width)`, fp16.

    A chunk of 500 scenes is written whole or not at all, so that making them can be interrupted. A scene of the
    defaults takes 24 kB.
    """

    scenes: Scenes
    count: int
    folder: Path

    def make(self, autoencoder: Any, text: Any, tokenizer: Any, report: Callable[[str], None]) -> None:
        """Make the chunks that are missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for chunk in range(-(-self.count // CHUNK)):
            if not self._path(chunk).exists():
                numbers = range(chunk * CHUNK, (chunk + 1) * CHUNK)
                self._write(chunk, encode(self.scenes, numbers, autoencoder, text, tokenizer))
                report(f"latents of {numbers.stop} of {self.count} scenes")

    def batch(self, chosen: Sequence[int]) -> dict[str, Tensor]:
        """`mean`, `deviation` and `states` of these scenes, float32."""
        rows = [self._chunks[number // CHUNK][number % CHUNK] for number in chosen]
        return {field: torch.from_numpy(np.stack([row[field] for row in rows]).astype(np.float32)) for field in FIELDS}

    @cached_property
    def _chunks(self) -> list[Array]:
        return [np.load(self._path(chunk), mmap_mode="r") for chunk in range(-(-self.count // CHUNK))]

    def _path(self, chunk: int) -> Path:
        return self.folder / f"{chunk:05d}.npy"

    def _write(self, chunk: int, encoded: dict[str, Array]) -> None:
        kind = np.dtype([(field, np.float16, encoded[field].shape[1:]) for field in FIELDS])
        rows = np.empty(CHUNK, kind)
        for field in FIELDS:
            rows[field] = encoded[field]
        temporary = self._path(chunk).with_suffix(".writing")
        with temporary.open("wb") as file:
            np.save(file, rows)
        os.replace(temporary, self._path(chunk))


@torch.no_grad()
def encode(scenes: Scenes, numbers: Sequence[int], autoencoder: Any, text: Any, tokenizer: Any) -> dict[str, Array]:
    """Posterior and text states of some scenes, each with a wording of its own."""
    from sluice.training.tabletop.encoders import WORDINGS, tokens_of

    made: dict[str, list[Array]] = {field: [] for field in FIELDS}
    device = next(autoencoder.parameters()).device
    for start in range(0, len(numbers), 50):
        part = numbers[start : start + 50]
        posterior = autoencoder.encode(pixels([scenes.render(n) for n in part]).to(device)).latent_dist
        wordings = [caption(scenes.scene(n), n % WORDINGS) for n in part]
        states = text(tokens_of(tokenizer, wordings).to(device)).last_hidden_state
        for field, value in zip(FIELDS, (posterior.mean, posterior.std, states), strict=True):
            made[field].append(value.half().cpu().numpy())
    return {field: np.concatenate(parts) for field, parts in made.items()}
