"""The same judges for latents, so that guidance by what they see needs no decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.judges import judged, roughened, segformer, truths
from sluice.training.tabletop.recipe import Batch, Recipe
from sluice.training.tabletop.scenes import Scenes, pixels

NOISE = 0.3
"""The most noise that a latent gets, in its own deviations: estimates of clean latents are not clean."""


@dataclass
class LatentJudges:
    """Trained on latents as the U-Net sees them, scaled to unit size."""

    scenes: Scenes
    recipe: Recipe
    name: ClassVar[str] = "latent_judges"
    needs: ClassVar[tuple[str, ...]] = ("vae",)

    def prepare(self, models: Path, report: Callable[[str], None]) -> None:  # noqa: ARG002
        self.autoencoder: Any = AutoencoderKL.from_pretrained(models / "vae").requires_grad_(False).float()

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        return segformer(channels=4, first_stride=1)

    def batch(self, step: int) -> Batch:
        shown = [self.scenes.render(number) for number in self.scenes.of_step(step, self.recipe.batch)]
        return {"pixels": pixels(shown), **truths(shown)}

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        with torch.no_grad():
            autoencoder = self.autoencoder.to(batch["pixels"].device)
            posterior = autoencoder.encode(roughened(batch["pixels"], draws)).latent_dist
            clean = posterior.mean * autoencoder.config.scaling_factor
            level = draws.uniform("latent level", (len(clean), 1, 1, 1)) * NOISE
            latents = clean + level * draws.normal("latent noise", clean.shape)
        return judged(network(latents).logits, batch)

    def save(self, network: Any, models: Path) -> None:
        network.half().save_pretrained(models / self.name)
