"""Random draws of a batch, each a sample's own: whatever batch or process it is in, it draws the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """Of samples at these `positions` of the stream, with these `keys`; each draw has a name, and changes no other."""

    seed: int
    positions: Sequence[int]
    keys: Sequence[str]
    device: str | torch.device = "cpu"

    def normal(self, name: str, shape: Sequence[int]) -> Tensor:
        """Standard normal `(batch, *shape)`."""
        return self._of_each(name, lambda generator: torch.randn(tuple(shape), generator=generator))

    def uniform(self, name: str) -> Tensor:
        """Uniform in [0, 1), `(batch,)`."""
        return self._of_each(name, lambda generator: torch.rand((), generator=generator))

    def integers(self, name: str, below: int) -> Tensor:
        """Integers in 0 .. below - 1 as int64, `(batch,)`."""
        return self._of_each(name, lambda generator: torch.randint(below, (), generator=generator))

    def signs(self, name: str, shape: Sequence[int]) -> Tensor:
        """Ones and minus ones with equal chance, `(batch, *shape)`."""
        return self._of_each(name, lambda generator: 2.0 * torch.randint(2, tuple(shape), generator=generator) - 1)

    def _of_each(self, name: str, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        # Drawn on the CPU whatever the device: a GPU's generator has another stream.
        made = [draw(self._generator(name, *sample)) for sample in zip(self.positions, self.keys, strict=True)]
        return torch.stack(made).to(self.device)

    def _generator(self, name: str, position: int, key: str) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed}/{position}/{key}/{name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
