"""The posterior of Stable Diffusion's autoencoder, stored so that training can draw a fresh sample every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.perception.batch import in_batches
from sluice.preprocess.record import Array

if TYPE_CHECKING:
    import torch


class LatentEncoder:
    """The `vae` of a Stable Diffusion folder, called on RGB uint8 images `(height, width, 3)`.

    It returns one float16 array `(2, channels, height / f, width / f)` an image, f = 8 for Stable Diffusion: mean and
    deviation of the posterior. The VAE's `scaling_factor` is NOT applied: a training latent is
    `scaling_factor * (mean + deviation * noise)`. Raises ValueError for a size that f does not divide.
    """

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, batch_size: int = 1) -> None:
        from diffusers import AutoencoderKL

        self.network = load_network(AutoencoderKL, folder, subfolder="vae", dtype=dtype).to(device)
        self.factor = 2 ** (len(self.network.config.block_out_channels) - 1)
        self.device, self.dtype, self.batch_size = device, dtype, batch_size

    def __call__(self, images: Sequence[Array]) -> list[Array]:
        for image in images:
            self._require_divisible(image)
        return in_batches(images, self.batch_size, lambda batch, _: self._encode(batch))

    def _require_divisible(self, image: Array) -> None:
        height, width = image.shape[:2]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"the autoencoder shrinks by {self.factor}, which does not divide the image's {width} x {height} "
                f"pixels; give the image stage a size that is a multiple of {self.factor}"
            )

    def _encode(self, batch: Array) -> Array:
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(batch).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            posterior = self.network.encode(pixels.to(self.dtype)).latent_dist
            moments = torch.stack([posterior.mean, posterior.std], dim=1)
        array: Array = moments.float().cpu().numpy().astype(np.float16)
        return array
