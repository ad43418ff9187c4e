"""MIControlNet as a pipeline of diffusers, called as its pipelines of ControlNets are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from diffusers import MultiControlNetModel
from torch import Tensor

from sluice.inference.combiners.minimal_impact import minimal_impact
from sluice.inference.controlled import Controlled, decoded, encoder
from sluice.inference.pipelines.latent_pipeline import LatentPipeline, Sampling
from sluice.training import balance
from sluice.training.balance import with_silent_mask


class MinimalImpactPipeline(LatentPipeline):
    """Controls that agree and work against neither each other nor the U-Net (MIControlNet, Sec. 3.2).

    `controlnet` is one or a list, plain ControlNets of diffusers; the rest are Stable Diffusion's components.
    """

    def __init__(
        self,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        unet: Any,
        controlnet: Any,
        scheduler: Any,
        safety_checker: Any = None,
        feature_extractor: Any = None,
    ) -> None:
        super().__init__()
        several = MultiControlNetModel(controlnet) if isinstance(controlnet, list | tuple) else controlnet
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            controlnet=several,
            scheduler=scheduler,
            safety_checker=safety_checker,
            feature_extractor=feature_extractor,
        )

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        image: Any,
        controlnet_conditioning_scale: float | Sequence[float] = 1.0,
        negative_prompt: str | Sequence[str] = "",
        speaks: Sequence[Any] | None = None,
        rule: Literal["unit_min_norm", "min_norm", "as_printed"] = "unit_min_norm",
        height: int | None = None,
        width: int | None = None,
        num_images_per_prompt: int = 1,
        **sampling: Any,
    ) -> Any:
        """Pictures of a prompt, or of each of several, under an image for each ControlNet; as StableDiffusionPipeline.

        `image` is one for a single ControlNet, else a list with one for each: a PIL image, or levels 0 to 1 as a tensor
        or array; `speaks` as many masks, white where a control speaks. `sampling` are the fields of `Sampling`. Raises
        ValueError for numbers that do not fit.
        """
        told = self.told(prompt, negative_prompt, num_images_per_prompt)
        batch, size = len(told) // 2, self.size(height, width)
        controls = self._controls(image, speaks, controlnet_conditioning_scale, batch, size)
        ground = minimal_impact(encoder(self.unet, told), told, controls, getattr(balance, rule))
        return self.pictures(decoded(self.unet, ground), batch, size, Sampling(**sampling))

    def _controls(
        self,
        image: Any,
        speaks: Sequence[Any] | None,
        scale: float | Sequence[float],
        batch: int,
        size: tuple[int, int],
    ) -> list[Controlled]:
        nets = list(self.controlnet.nets) if isinstance(self.controlnet, MultiControlNetModel) else [self.controlnet]
        images = image if isinstance(image, list | tuple) else [image]
        scales = list(scale) if isinstance(scale, Sequence) else [scale] * len(nets)
        masks = [None] * len(nets) if speaks is None else list(speaks)
        if not len(nets) == len(images) == len(scales) == len(masks):
            raise ValueError(
                f"{len(nets)} ControlNets were given {len(images)} images, {len(scales)} scales and {len(masks)} masks"
            )
        shown = [self._shown(*own, batch, size) for own in zip(nets, images, masks, strict=True)]
        return [Controlled(*own) for own in zip(nets, shown, scales, strict=True)]

    def _shown(self, network: Any, image: Any, mask: Any, batch: int, size: tuple[int, int]) -> Tensor:
        """With a silent mask, where a network takes one and the image has none."""
        levels, wanted = self.seen(image, batch, size), network.config.conditioning_channels
        if mask is None and levels.shape[1] == wanted:
            return levels
        whole = torch.ones_like(levels[:, :1])
        where = whole if mask is None else (self.seen(mask, batch, size).mean(1, keepdim=True) >= 0.5).to(levels)
        return with_silent_mask(levels, where)[:, :wanted]
