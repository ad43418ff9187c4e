"""The U-Net that knows where: GLIGEN's gated attention over boxes, captions that name no colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from sluice.training.tabletop.denoiser import NULL_SHARE, text_unet
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.noise import noise_loss, noised, sampled, sd_schedule, with_null
from sluice.training.tabletop.recipe import Batch
from sluice.training.tabletop.seen import placed

WIDTHS = (32, 48, 64)


class BoxDenoiser(LatentPart):
    """Trained whole, with its gates, on latents; a tenth of the captions null, a tenth of the boxes left out."""

    name: ClassVar[str] = "unet_boxes"
    needs: ClassVar[tuple[str, ...]] = ("vae", "encoders")
    seen = staticmethod(placed)

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        return text_unet(WIDTHS, attention_type="gated")

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        seen = noised(sampled(batch, draws), sd_schedule(), draws)
        states = with_null(batch["states"], self.null, NULL_SHARE, draws)
        kept = draws.uniform("boxes", (len(states), 1)) >= NULL_SHARE
        boxes = {"boxes": batch["boxes"], "positive_embeddings": batch["phrases"], "masks": batch["present"] * kept}
        predicted = network(seen.noisy, seen.steps, states, cross_attention_kwargs={"gligen": boxes}).sample
        return noise_loss(predicted, seen)

    def save(self, network: Any, models: Path) -> None:
        network.half().save_pretrained(models / self.name)
