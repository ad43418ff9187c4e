"""What a job's conditions show, as tensors at the size of its pictures, or say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sluice.flows.compose.tree.images import pixels_of
from sluice.flows.compose.tree.nodes import Image, image_of
from sluice.preprocess.record import Array

KEPT = 64
"""Images in memory: those of a job, and not those of all pictures of a table."""


class Conditions:
    """Of a job in `folder`, whose pictures are `size` pixels square.

    `instead` holds, for an image or a text that the pictures of a batch do not share, what each has in its place.
    """

    def __init__(self, folder: Path, size: int, device: str) -> None:
        self.folder, self.size, self.device = folder, size, device
        self.instead: Mapping[str, Sequence[Any]] = {}
        self._read = lru_cache(maxsize=KEPT)(self._levels)

    def image(self, of: Image) -> Tensor:
        """`(1, 3, height, width)`, or `(batch, ...)` of what stands for it; values 0 to 1. Raises ConfigError."""
        return torch.cat([self._image(own) for own in self.each(of)])

    def mask(self, of: Image) -> Tensor:
        """`(1, 1, height, width)`, or `(batch, ...)`, of 0 and 1. Raises ConfigError."""
        return (self.image(of).mean(dim=1, keepdim=True) >= 0.5).float()

    def bytes(self, of: Image) -> list[Array]:
        """RGB uint8 `(height, width, 3)` of any size, one or those that stand for it. Raises ConfigError."""
        return [np.rint(self._read(own) * 255).astype(np.uint8) for own in self.each(of)]

    def each(self, of: Image) -> Sequence[Image]:
        """An image, or those that stand for it."""
        others = self.instead.get(str(of))
        return (of,) if others is None else [image_of(own) for own in others]

    def texts(self, of: str) -> Sequence[str]:
        """A text, or those that stand for it."""
        return self.instead.get(of, (of,))

    def _image(self, of: Image) -> Tensor:
        return torch.from_numpy(self._read(of)).permute(2, 0, 1)[None].to(self.device)

    def _levels(self, of: Image) -> Array:
        return pixels_of(of, self.folder, self.size)
