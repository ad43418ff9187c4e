"""The U-Net that knows where: GLIGEN's gated attention over boxes, captions that name no thing's colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from sluice.training.tabletop.denoiser import text_unet
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.noise import noise_loss, noised, sampled, sd_schedule, with_null
from sluice.training.tabletop.recipe import Batch
from sluice.training.tabletop.seen import placed

WIDTHS = (32, 48, 48)
SLOTS = 30
"""As many as diffusers' pipeline fills."""
NULL_CAPTIONS, NULL_BOXES = 0.5, 0.1
"""Without a caption, half of the time, only the boxes can tell."""


class BoxDenoiser(LatentPart):
    """Trained whole, with its gates, on latents."""

    name = "unet_boxes"
    needs = ("vae", "text_encoder", "unet")
    seen = staticmethod(placed)

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        return text_unet(WIDTHS, attention_type="gated")

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        seen = noised(sampled(batch, draws), sd_schedule(), draws)
        states = with_null(batch["states"], self.null, NULL_CAPTIONS, draws)
        kept = draws.uniform("boxes", (len(states), 1)) >= NULL_BOXES
        boxes = in_slots(batch["boxes"], batch["phrases"], batch["present"] * kept)
        predicted = network(seen.noisy, seen.steps, states, cross_attention_kwargs={"gligen": boxes}).sample
        return noise_loss(predicted, seen)


def in_slots(boxes: Tensor, phrases: Tensor, present: Tensor) -> dict[str, Tensor]:
    """What GLIGEN takes, in thirty slots, of `boxes` `(batch, n, 4)`, `phrases` `(batch, n, width)`, `present`."""
    free = SLOTS - boxes.shape[1]
    return {
        "boxes": F.pad(boxes, (0, 0, 0, free)),
        "positive_embeddings": F.pad(phrases, (0, 0, 0, free)),
        "masks": F.pad(present, (0, free)),
    }
