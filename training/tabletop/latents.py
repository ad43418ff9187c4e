"""What frozen networks see in many scenes, made once and kept in a folder of bounded size."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sluice.infra.whole import write_whole
from sluice.preprocess.record import Array
from sluice.training.tabletop.threads import a_thread_each

CHUNK = 500

Encode = Callable[[Sequence[int]], Mapping[str, Array]]
"""Scenes' numbers to fields, arrays whose first axis is the scenes'."""


@dataclass(frozen=True)
class Latents:
    """Fields of the scenes 0 to `count`, as fp16; some 25 kB a scene with its text states.

    A chunk of 500 scenes is written whole or not at all, so that making them can be interrupted.
    """

    folder: Path
    count: int

    @classmethod
    def of(cls, cache: Path, kind: str, made_of: object, count: int) -> Latents:
        """In a folder of `cache` for what they are made of; the kind's other folders are taken away."""
        folder = cache / f"{kind}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}"
        for other in cache.glob(f"{kind}-*"):
            if other != folder:
                shutil.rmtree(other)
        return cls(folder, count)

    def make(self, encode: Encode, report: Callable[[str], None]) -> None:
        """Make the chunks that are missing, a thread each."""
        missing = [chunk for chunk in range(self._chunk_count) if not self._path(chunk).exists()]
        with ThreadPoolExecutor(torch.get_num_threads()) as pool, a_thread_each():
            for number, _ in enumerate(pool.map(lambda chunk: self._make(chunk, encode), missing)):
                report(f"latents of {(number + 1) * CHUNK} of {len(missing) * CHUNK} scenes")

    def _make(self, chunk: int, encode: Encode) -> None:
        self._write(chunk, encode(range(chunk * CHUNK, (chunk + 1) * CHUNK)))

    def of_step(self, step: int, batch: int, seed: int) -> dict[str, Tensor]:
        """The fields of scenes drawn for a step, float32."""
        chosen = np.random.default_rng([seed, step]).integers(self.count, size=batch).tolist()
        rows = [self._chunks[number // CHUNK][number % CHUNK] for number in chosen]
        names = self._chunks[0].dtype.names or ()
        return {name: torch.from_numpy(np.stack([row[name] for row in rows]).astype(np.float32)) for name in names}

    @property
    def _chunk_count(self) -> int:
        return -(-self.count // CHUNK)

    @cached_property
    def _chunks(self) -> list[Array]:
        return [np.load(self._path(chunk), mmap_mode="r") for chunk in range(self._chunk_count)]

    def _path(self, chunk: int) -> Path:
        return self.folder / f"{chunk:05d}.npy"

    def _write(self, chunk: int, encoded: Mapping[str, Array]) -> None:
        rows = np.empty(CHUNK, [(name, np.float16, values.shape[1:]) for name, values in encoded.items()])
        for name, values in encoded.items():
            rows[name] = values
        buffer = io.BytesIO()
        np.save(buffer, rows)
        write_whole(self._path(chunk), buffer.getvalue())
