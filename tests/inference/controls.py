"""ControlNets on a small U-Net, and what they are given."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ControlNetModel
from torch import Tensor

from sluice.training.networks.latent_model import LatentModel

SCALE = 3.0


def controlnet(model: LatentModel, seed: int | None) -> Any:
    """One that acts, by its seed; of None one that says nothing."""
    network = ControlNetModel.from_unet(model.unet, conditioning_embedding_out_channels=(8, 8, 16)).eval()
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network


def given() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two latents, their text states, the null's, and two images."""
    generator = torch.Generator().manual_seed(1)
    x, states = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 5, 6, generator=generator)
    return x, states, torch.randn(1, 5, 6, generator=generator), torch.rand(2, 3, 32, 32, generator=generator)
