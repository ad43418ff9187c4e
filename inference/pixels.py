"""A diffusion model of pixels as a latent one: its autoencoder changes nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor

from sluice.infra.weights.pretrained import load, load_network
from sluice.training.networks.latent_model import LatentModel


class Unchanged:
    """In an autoencoder's place: pictures are their own latents, one pixel for one."""

    dtype = torch.float32
    config = SimpleNamespace(block_out_channels=(3,), scaling_factor=1.0)

    def encode(self, pictures: Tensor) -> SimpleNamespace:
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=pictures, std=torch.zeros_like(pictures)))

    def decode(self, pictures: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=pictures)


def pixel_model(folder: Path, device: str = "cpu") -> LatentModel:
    """From a folder with a U-Net that takes no condition, and its scheduler. Raises ModelFolderError."""
    unet = load_network(UNet2DModel, folder, dtype=torch.float32).to(device).requires_grad_(False)
    return LatentModel(None, None, unet, Unchanged(), load(DDIMScheduler, folder))
