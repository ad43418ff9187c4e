"""The same judges for latents, so that guidance by what they see needs no decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from sluice.infra.weights.pretrained import load_network
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.judges import Judges, judged, roughened, segformer
from sluice.training.tabletop.recipe import Batch, Report

NOISE = 0.3
"""The most noise that a latent gets, in its own deviations: estimates of clean latents are not clean."""


class LatentJudges(Judges):
    """Trained on latents as the U-Net sees them, scaled to unit size."""

    name = "latent_judges"
    needs = ("vae",)

    def prepare(self, models: Path, device: torch.device, report: Report) -> None:  # noqa: ARG002
        """Load the autoencoder."""
        self.autoencoder: Any = load_network(AutoencoderKL, models, subfolder="vae", dtype=torch.float32)
        self.autoencoder.requires_grad_(False).to(device)

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        return segformer(channels=4, first_stride=1)

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        with torch.no_grad():
            posterior = self.autoencoder.encode(roughened(batch["pixels"], draws)).latent_dist
            clean = posterior.mean * self.autoencoder.config.scaling_factor
            level = draws.uniform("latent level", (len(clean), 1, 1, 1)) * NOISE
            latents = clean + level * draws.normal("latent noise", clean.shape)
        return judged(network(latents).logits, batch)
