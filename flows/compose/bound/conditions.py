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
from sluice.infra.settings import ConfigError
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
        """`(1, 1, height, width)`, or `(batch, ...)`, of 0 and 1. Raises ConfigError for one that is empty."""
        masks = (self.image(of).mean(dim=1, keepdim=True) >= 0.5).float()
        for own, mask in zip(self.each(of), masks, strict=True):
            if not mask.any():
                raise ConfigError(f"{self._name(own)} is a mask with nothing in it: white is where a condition speaks")
        return masks

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
        levels = self._read(of)
        if levels.shape[:2] != (self.size, self.size):
            raise ConfigError(
                f"{self._name(of)} is {levels.shape[1]} x {levels.shape[0]} pixels, and the job's pictures are "
                f"{self.size} x {self.size}: scale it, or set `size`"
            )
        return torch.from_numpy(levels).permute(2, 0, 1)[None].to(self.device)

    def _levels(self, of: Image) -> Array:
        return pixels_of(of, self.folder, self.size)

    def _name(self, of: Image) -> str:
        return str(self.folder / of) if isinstance(of, Path) else str(of)
