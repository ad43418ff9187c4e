"""A latent diffusion model as diffusers and transformers keep it in a folder: a prompt in, a picture out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from sluice.inference.denoisers import Denoiser, guided
from sluice.inference.sampler import ddim
from sluice.preprocess.perception.pretrained import load, load_network


@dataclass(frozen=True)
class LatentDiffusion:
    """The parts of Stable Diffusion 1.5, or of anything that is laid out as it is, such as the tabletop family."""

    tokenizer: Any
    text_encoder: Any
    unet: Any
    vae: Any
    scheduler: Any

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> LatentDiffusion:
        """From a folder with a subfolder for each part. Raises ModelFolderError for one that is not there whole."""

        def part(kind: Any, name: str) -> Any:
            return load_network(kind, folder, subfolder=name, dtype=dtype).to(device).requires_grad_(False)

        return cls(
            load(CLIPTokenizer, folder, subfolder="tokenizer"),
            part(CLIPTextModel, "text_encoder"),
            part(UNet2DConditionModel, "unet"),
            part(AutoencoderKL, "vae"),
            load(DDIMScheduler, folder, subfolder="scheduler"),
        )

    @torch.no_grad()
    def states(self, prompts: Sequence[str]) -> Tensor:
        """Text states `(batch, tokens, width)`; the null condition is that of the empty prompt."""
        tokens = self.tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt").input_ids
        states: Tensor = self.text_encoder(tokens.to(self.unet.device)).last_hidden_state
        return states

    def noise(self, batch: int, seed: int) -> Tensor:
        """Where sampling begins, `(batch, channels, height, width)`, the same on every device."""
        shape = (batch, self.unet.config.in_channels, self.unet.config.sample_size, self.unet.config.sample_size)
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return drawn.to(self.unet.device, self.unet.dtype)

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """Latents as the U-Net sees them, each posterior's mode, of pictures `(batch, 3, height, width)`, -1 to 1."""
        latents: Tensor = self.vae.encode(pictures).latent_dist.mode() * self.vae.config.scaling_factor
        return latents

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Pictures `(batch, 3, height, width)`, values -1 to 1, of latents as the U-Net sees them."""
        pictures: Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample.clamp(-1, 1)
        return pictures

    def generate(self, prompts: Sequence[str], seed: int = 0, guidance: float = 5.0, steps: int = 25) -> Tensor:
        """A picture for each prompt, `(batch, 3, height, width)`, values -1 to 1, by DDIM with guidance."""
        denoiser = guided(self.unet, self.states(prompts), self.states([""]), guidance)
        return self.sample(denoiser, len(prompts), seed, steps)

    def sample(self, denoiser: Denoiser, count: int, seed: int, steps: int, scheduler: Any = None) -> Tensor:
        """So many pictures by DDIM, of any denoiser of these latents; `scheduler` is the denoiser's, if it has one."""
        return self.decode(ddim(denoiser, self.noise(count, seed), scheduler or self.scheduler, steps))
