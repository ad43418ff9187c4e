"""Random draws that depend on (seed, step, share) alone: a resumed training draws what it would have drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


class Draws:
    """The draws of one step, of one share of its batch; each has a name, so that one more draw changes no other."""

    def __init__(self, seed: int, step: int, device: torch.device, share: int = 0) -> None:
        self.seed, self.step, self.device, self.share = seed, step, device, share

    def normal(self, name: str, shape: Sequence[int]) -> Tensor:
        """Standard normal noise of this shape."""
        return torch.randn(*shape, generator=self._generator(name)).to(self.device)

    def uniform(self, name: str, shape: Sequence[int]) -> Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(*shape, generator=self._generator(name)).to(self.device)

    def integers(self, name: str, below: int, shape: Sequence[int]) -> Tensor:
        """Integers in 0 .. below - 1, as int64."""
        return torch.randint(below, tuple(shape), generator=self._generator(name)).to(self.device)

    def _generator(self, name: str) -> torch.Generator:
        # Drawn on the CPU whatever the device: a GPU's generator has another stream.
        digest = hashlib.sha256(f"{self.seed}:{self.step}:{self.share}:{name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
