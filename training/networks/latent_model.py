"""A latent diffusion model as diffusers and transformers keep it in a folder: the frozen ground of every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from sluice.infra.weights.pretrained import load, load_network


@dataclass(frozen=True)
class LatentModel:
    """The parts of Stable Diffusion 1.5, or of anything that is laid out as it is, such as the tabletop family."""

    tokenizer: Any
    text_encoder: Any
    unet: Any
    vae: Any
    scheduler: Any

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Self:
        """From a folder with a subfolder for each part. Raises ModelFolderError for one that is not there whole."""
        folder = Path(folder)

        def part(kind: Any, name: str) -> Any:
            return load_network(kind, folder, subfolder=name, dtype=dtype).to(device).requires_grad_(False)

        return cls(
            load(CLIPTokenizer, folder, subfolder="tokenizer"),
            part(CLIPTextModel, "text_encoder"),
            part(UNet2DConditionModel, "unet"),
            part(AutoencoderKL, "vae"),
            load(DDIMScheduler, folder, subfolder="scheduler"),
        )

    @property
    def scale(self) -> int:
        """Pixels for one latent, along each side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @torch.no_grad()
    def states(self, prompts: Sequence[str]) -> Tensor:
        """Text states `(batch, tokens, width)`; the null condition is that of the empty prompt."""
        tokens = self.tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt").input_ids
        states: Tensor = self.text_encoder(tokens.to(self.unet.device)).last_hidden_state
        return states

    @torch.no_grad()
    def posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of latents as the U-Net sees them, of pictures `(batch, 3, height, width)`, -1 to 1."""
        found = self.vae.encode(pictures.to(self.vae.dtype)).latent_dist
        scaling = self.vae.config.scaling_factor
        return found.mean * scaling, found.std * scaling

    def encode(self, pictures: Tensor) -> Tensor:
        """The posterior's mode."""
        return self.posterior(pictures)[0]

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Pictures `(batch, 3, height, width)`, values -1 to 1, of latents as the U-Net sees them."""
        pictures: Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample.clamp(-1, 1)
        return pictures
