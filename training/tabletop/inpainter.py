"""The inpainting U-Net: what a scene looks like without the thing in the hole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from sluice.infra.weights.pretrained import load_network
from sluice.training.tabletop.denoiser import text_unet
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.noise import noise_loss, noised, sampled, sd_schedule, with_null
from sluice.training.tabletop.recipe import Batch
from sluice.training.tabletop.seen import emptied

NULL_CAPTIONS = 0.5
"""Data sets are inpainted without a prompt."""
IN_HOLE = 0.8
"""The holes' share of the loss, of a batch: what is made around them is thrown away."""


class Inpainter(LatentPart):
    """Begins as the U-Net; five more channels, the hole and the latent around it, begin without effect."""

    name = "inpaint_unet"
    needs = ("vae", "text_encoder", "unet")
    seen = staticmethod(emptied)

    def network(self, models: Path) -> nn.Module:
        network: Any = text_unet(in_channels=9)
        unet = load_network(UNet2DConditionModel, models, subfolder="unet", dtype=torch.float32)
        state = unet.state_dict()
        widened = torch.zeros_like(network.conv_in.weight)
        widened[:, :4] = state["conv_in.weight"]
        network.load_state_dict(state | {"conv_in.weight": widened})
        widened_unet: nn.Module = network
        return widened_unet

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        seen = noised(sampled(batch, draws), sd_schedule(), draws)
        states = with_null(batch["states"], self.null, NULL_CAPTIONS, draws)
        inputs = torch.cat([seen.noisy, batch["hole"], batch["masked"]], dim=1)
        counts = 1 - IN_HOLE + IN_HOLE * batch["hole"] / batch["hole"].mean()
        return noise_loss(network(inputs, seen.steps, states).sample, seen, counts)
