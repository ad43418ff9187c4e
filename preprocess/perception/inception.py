"""The Inception whose features FID is taken of (Heusel et al., 2017), as TorchScript."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from sluice.preprocess.perception.unusable_weights import UnusableWeights

SIDE = 299
CPU = torch.device("cpu")


class Inception:
    """Called on pictures `(batch, 3, height, width)`, values -1 to 1, of any size: features `(batch, width)`.

    The published file has a width of 2048. Pictures are rounded to the 256 steps that files have, and resized as
    TensorFlow 1 did, as the figures of the literature depend on both. Raises UnusableWeights.
    """

    def __init__(self, path: Path, device: torch.device = CPU) -> None:
        self.device = device
        try:
            self.network = torch.jit.load(path, map_location=device).eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise UnusableWeights(
                f"'{path}' is not TorchScript ({str(error).splitlines()[0]}); pull the model 'inception-fid', or name "
                "another network that takes 299 x 299 pixels to features"
            ) from error

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        stored = ((pictures.to(self.device, torch.float32).clamp(-1, 1) + 1) * 127.5).round()
        found: Tensor = self.network((legacy_bilinear(stored, SIDE) - 128) / 128)
        return found


def legacy_bilinear(pictures: Tensor, side: int) -> Tensor:
    """Resized to a square as TensorFlow 1 did: pixel i of n lies at i / n, nothing is averaged where it shrinks."""
    return _along(_along(pictures, 2, side), 3, side)


def _along(pictures: Tensor, axis: int, side: int) -> Tensor:
    length = pictures.shape[axis]
    at = torch.arange(side, dtype=torch.float64, device=pictures.device) * length / side
    low = at.long()
    high = (low + 1).clamp(max=length - 1)
    part = (at - low).to(pictures).reshape([-1 if i == axis else 1 for i in range(4)])
    return torch.lerp(pictures.index_select(axis, low), pictures.index_select(axis, high), part)
