"""Small networks of full-size classes, for whatever must run on a U-Net."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from sluice.training.networks.latent_model import LatentModel

CROSSED, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
WIDTH = 6
"""Of text states."""


def small_unet(widths: tuple[int, ...] = (8, 16), attends: str = "last", seed: int = 0, **options: Any) -> Any:
    """A U-Net whose `last` levels attend to the text, all but the finest, or whose `first`, all but the coarsest."""
    torch.manual_seed(seed)
    others = len(widths) - 1
    down = (PLAIN, *[CROSSED] * others) if attends == "last" else (*[CROSSED] * others, PLAIN)
    plain = {
        "sample_size": 8,
        "block_out_channels": widths,
        "down_block_types": down,
        "up_block_types": tuple(name.replace("Down", "Up") for name in reversed(down)),
        "layers_per_block": 1,
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    return UNet2DConditionModel(**plain | options).eval()


def small_model(kind: type[LatentModel] = LatentModel, **options: Any) -> LatentModel:
    """A latent model of it without a text encoder, four pixels for a latent."""
    unet = small_unet(attends="first", **options).requires_grad_(False)
    vae = AutoencoderKL(block_out_channels=(8, 8, 8), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 3)
    return kind(None, None, unet, vae, DDIMScheduler())
