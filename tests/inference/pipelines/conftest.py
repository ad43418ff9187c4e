"""A small Stable Diffusion in a folder, with ControlNets, fusers and images for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, StableDiffusionPipeline
from PIL import Image
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.tabletop.text_encoder import caption_tokenizer
from tests.small_unet import WIDTH, small_model

TOWER = {"hidden_size": WIDTH, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
SIZE = 32


def moved(network: Any, seed: int) -> Any:
    """With weights that act."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, model = tmp_path_factory.mktemp("small"), small_model()
    torch.manual_seed(0)
    tokenizer = caption_tokenizer()
    words = CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=77, **TOWER)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    vision = CLIPVisionConfig(image_size=16, patch_size=8, projection_dim=WIDTH, **TOWER)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3}
    pipeline = StableDiffusionPipeline(
        AutoencoderKL(block_out_channels=(8, 8, 8), norm_num_groups=4, **blocks),
        CLIPTextModel(words),
        tokenizer,
        model.unet,
        DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=processor,
        image_encoder=CLIPVisionModelWithProjection(vision),
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(place)
    processor.save_pretrained(place / "image_encoder")
    for name, channels in (("one", 3), ("other", 4)):
        stem = {"conditioning_embedding_out_channels": (8, 8, 16), "conditioning_channels": channels}
        network = ControlNetModel.from_unet(model.unet, **stem)
        moved(network, channels).save_pretrained(place / name)
    moved(LocalFuser.from_controlnet(ControlNetModel.from_unet(model.unet), scale=4), 1).save_pretrained(
        place / "fusers/local"
    )
    moved(GlobalFuser(width=WIDTH), 2).save_pretrained(place / "fusers/global")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(place / f"{name}.png")
    left = np.zeros((SIZE, SIZE), np.uint8)
    left[:, :12] = 255
    Image.fromarray(left).save(place / "left.png")
    return place
