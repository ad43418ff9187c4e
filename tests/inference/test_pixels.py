"""A model of pixels, in whose pictures nothing is coded."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DModel

from sluice.inference.pixels import pixel_model


def test_pictures_are_their_own_latents(tmp_path: Path) -> None:
    blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",), "block_out_channels": (8,)}
    UNet2DModel(sample_size=8, layers_per_block=1, norm_num_groups=4, **blocks).save_pretrained(tmp_path)
    DDIMScheduler(beta_schedule="scaled_linear").save_pretrained(tmp_path)
    model = pixel_model(tmp_path)
    pictures = torch.rand(2, 3, 8, 8) * 2 - 1
    assert model.scale == 1
    assert torch.equal(model.encode(pictures), pictures)
    assert torch.equal(model.decode(pictures), pictures)
    assert model.decode(3 * pictures).abs().max() == 1
    assert model.scheduler.config.beta_schedule == "scaled_linear"
    assert not any(parameter.requires_grad for parameter in model.unet.parameters())
