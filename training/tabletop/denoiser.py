"""The U-Net: predicts the noise in a latent from the latent, the timestep and the caption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.noise import noise_loss, noised, sampled, sd_schedule, with_null
from sluice.training.tabletop.recipe import Batch
from sluice.training.tabletop.seen import captioned
from sluice.training.tabletop.text_encoder import WIDTH

NULL_SHARE = 0.1
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": diffusers.__version__,
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
"""With it the family's folder is a pipeline of diffusers."""


class Denoiser(LatentPart):
    """Trained on kept latents, a tenth of the captions null."""

    name = "unet"
    beside = ("scheduler", "model_index.json")
    seen = staticmethod(captioned)

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        return text_unet()

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        seen = noised(sampled(batch, draws), sd_schedule(), draws)
        states = with_null(batch["states"], self.null, NULL_SHARE, draws)
        return noise_loss(network(seen.noisy, seen.steps, states).sample, seen)

    def save(self, network: Any, models: Path) -> None:
        network.half().save_pretrained(models / self.name)
        sd_schedule().save_pretrained(models / "scheduler")
        (models / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")


def text_unet(widths: tuple[int, int, int] = (64, 64, 64), **options: Any) -> nn.Module:
    """Stable Diffusion's U-Net, small: attention at its two lower levels, for latents of 16 x 16."""
    network: nn.Module = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=widths,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
        **options,
    )
    return network
