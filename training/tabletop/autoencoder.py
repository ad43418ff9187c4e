"""The autoencoder: 64 x 64 pictures to 16 x 16 x 4 latents and back, diffusers' AutoencoderKL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch, Part
from sluice.training.tabletop.scenes import pixels

KL_WEIGHT = 1e-6
SLOPE_WEIGHT = 1.0
MEASURED = 512


class Autoencoder(Part):
    """Trained on pixels and their slopes alone; the KL term only keeps latents near unit size."""

    name = "vae"

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        network: nn.Module = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(16, 32, 64),
            layers_per_block=1,
            norm_num_groups=8,
            latent_channels=4,
            sample_size=64,
            mid_block_add_attention=False,
        )
        return network

    def batch(self, step: int) -> Batch:
        numbers = self.scenes.of_step(step, self.recipe.batch)
        return {"pixels": pixels([self.scenes.render(number) for number in numbers])}

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        wanted = batch["pixels"]
        posterior = network.encode(wanted).latent_dist
        noise = draws.normal("posterior", posterior.mean.shape)
        decoded = network.decode(posterior.mean + posterior.std * noise).sample
        slopes = [F.l1_loss(a, b) for a, b in zip(_slopes(decoded), _slopes(wanted), strict=True)]
        square = F.mse_loss(decoded, wanted)
        kl = posterior.kl().mean()
        loss = F.l1_loss(decoded, wanted) + square + SLOPE_WEIGHT * sum(slopes) + KL_WEIGHT * kl
        return {"loss": loss, "square": square, "kl": kl}

    def save(self, network: Any, models: Path) -> None:
        network.register_to_config(scaling_factor=self._scaling_factor(network))
        network.half().save_pretrained(models / self.name)

    @torch.no_grad()
    def _scaling_factor(self, network: Any) -> float:
        """One over the latents' standard deviation, so that a U-Net sees unit size."""
        device = next(network.parameters()).device
        shown = pixels([self.scenes.render(number) for number in range(MEASURED)]).to(device)
        latents = torch.cat([network.encode(part).latent_dist.mean for part in torch.split(shown, 32)])
        return float(1 / latents.std())


def _slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring pixels, across and down."""
    return pictures.diff(dim=3), pictures.diff(dim=2)
