"""The U-Net of classes: a shape's number instead of a caption, a cosine schedule, a variance of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import DDPMScheduler, UNet2DModel
from torch import Tensor, nn

from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.training.tabletop.denoiser import NULL_SHARE
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.noise import noise_loss, noised, sampled
from sluice.training.tabletop.recipe import Batch
from sluice.training.tabletop.seen import classed
from sluice.training.tabletop.variational import variational_bound

NULL_CLASS = len(SHAPES) + 1
"""After the shapes, and the scenes without any object."""
BOUND_WEIGHT = 1.0
"""Of the bound in nats a value, which is small beside the noise loss but where steps are."""


def cosine_schedule() -> DDPMScheduler:
    """Squared cosine, 1,000 steps, epsilon, and a variance between the two bounds."""
    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="learned_range", clip_sample=False)


class ClassDenoiser(LatentPart):
    """Trained on latents, a tenth of the classes null."""

    name = "unet_class"
    needs = ("vae", "text_encoder", "unet")
    seen = staticmethod(classed)

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        network: nn.Module = UNet2DModel(
            sample_size=16,
            in_channels=4,
            out_channels=8,
            block_out_channels=(32, 48, 64),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            attention_head_dim=16,
            norm_num_groups=16,
            num_class_embeds=NULL_CLASS + 1,
        )
        return network

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        clean, schedule = sampled(batch, draws), cosine_schedule()
        seen = noised(clean, schedule, draws)
        null = draws.uniform("null", (len(clean),)) < NULL_SHARE
        classes = batch["shape"].long().masked_fill(null, NULL_CLASS)
        predicted, raw = network(seen.noisy, seen.steps, classes).sample.float().chunk(2, dim=1)
        bound = variational_bound(clean, seen, predicted, raw, schedule).mean()
        losses = noise_loss(predicted, seen)
        return {**losses, "loss": losses["loss"] + BOUND_WEIGHT * bound, "bound": bound}

    def save(self, network: Any, models: Path) -> None:
        network.half().save_pretrained(models / self.name)
        cosine_schedule().save_pretrained(models / self.name)
