"""A latent diffusion model that makes pictures: a prompt in, a picture out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.inference.denoisers import Denoiser, by_text, guided, noise_of
from sluice.inference.sampler import ddim
from sluice.training.networks.latent_model import LatentModel


@dataclass(frozen=True)
class LatentDiffusion(LatentModel):
    """The same model, sampled by DDIM."""

    def noise(self, batch: int, seed: int) -> Tensor:
        """Where sampling begins, `(batch, channels, height, width)`, the same on every device."""
        shape = (batch, self.unet.config.in_channels, self.unet.config.sample_size, self.unet.config.sample_size)
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return drawn.to(self.unet.device, self.unet.dtype)

    def generate(self, prompts: Sequence[str], seed: int = 0, guidance: float = 5.0, steps: int = 25) -> Tensor:
        """A picture for each prompt, `(batch, 3, height, width)`, values -1 to 1, by DDIM with guidance.

        Raises ValueError for what makes no picture: no prompts, one string for several, no steps, guidance that is no
        number.
        """
        if isinstance(prompts, str) or not prompts:
            raise ValueError(f"prompts are several strings, one for each picture, and not {prompts!r}")
        if not math.isfinite(guidance):
            raise ValueError(f"guidance is a finite number, and not {guidance}")
        denoiser = guided(
            noise_of(by_text(self.unet, self.states(prompts), self.states([""])), self.scheduler), guidance
        )
        return self.sample(denoiser, len(prompts), seed, steps)

    def sample(self, denoiser: Denoiser, count: int, seed: int, steps: int, scheduler: Any = None) -> Tensor:
        """So many pictures by DDIM, of any denoiser of these latents; `scheduler` is the denoiser's, if it has one."""
        return self.decode(ddim(denoiser, self.noise(count, seed), scheduler or self.scheduler, steps))
