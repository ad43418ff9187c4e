"""The U-Net of faces: pixels, no condition; what is asked of a face comes from energies or from other models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import UNet2DModel
from torch import Tensor, nn

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.noise import noise_loss, noised, sd_schedule
from sluice.training.tabletop.recipe import Batch, Part
from sluice.training.tabletop.scenes import pixels


class FaceDenoiser(Part):
    """Trained on pictures of plates, by Stable Diffusion's schedule."""

    name = "unet_face"
    share = 8

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        network: nn.Module = UNet2DModel(
            sample_size=self.scenes.size,
            block_out_channels=(16, 32, 48, 64),
            down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            attention_head_dim=16,
            norm_num_groups=16,
        )
        return network

    def batch(self, step: int) -> Batch:
        numbers = self.scenes.of_step(step, self.recipe.batch)
        return {"pixels": pixels([self.scenes.render(number) for number in numbers])}

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        seen = noised(batch["pixels"], sd_schedule(), draws)
        return noise_loss(network(seen.noisy, seen.steps).sample, seen)

    def save(self, network: Any, models: Path) -> None:
        network.half().save_pretrained(models / self.name)
        sd_schedule().save_pretrained(models / self.name)
