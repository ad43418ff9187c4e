"""Compose and Conquer as a pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from sluice.inference.adapters import sharing_weights, with_soft_guidance
from sluice.inference.combiners.compose_and_conquer import compose_and_conquer
from sluice.inference.controlled import decoded
from sluice.inference.pipelines.latent_pipeline import LatentPipeline, Sampling
from sluice.training.networks.fusers import STREAMS, Fusers
from sluice.training.networks.soft_guidance import Kind, SoftGuidance


class ComposeAndConquerPipeline(LatentPipeline):
    """Foreground and background apart: depths by the local fuser, exemplars by the global one (CnC, Sec. 3).

    The fusers are given to `from_pretrained` or here; without one its conditions cannot be. `image_encoder` is CLIP's,
    and `feature_extractor` prepares pictures for it; the rest are Stable Diffusion's components.
    """

    _optional_components: ClassVar[list[str]] = [
        *LatentPipeline._optional_components,
        "local_fuser",
        "global_fuser",
        "image_encoder",
    ]

    def __init__(
        self,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        unet: Any,
        scheduler: Any,
        local_fuser: Any = None,
        global_fuser: Any = None,
        image_encoder: Any = None,
        safety_checker: Any = None,
        feature_extractor: Any = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            local_fuser=local_fuser,
            global_fuser=global_fuser,
            image_encoder=image_encoder,
            safety_checker=safety_checker,
            feature_extractor=feature_extractor,
        )

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        mask: Any,
        image: tuple[Any, Any] | None = None,
        exemplars: tuple[Any, Any] | None = None,
        exemplar_scale: tuple[float, float] = (1.0, 1.0),
        soft_guidance: Kind = "exclude",
        negative_prompt: str | Sequence[str] = "",
        height: int | None = None,
        width: int | None = None,
        num_images_per_prompt: int = 1,
        **sampling: Any,
    ) -> Any:
        """Pictures of a prompt, or of each of several, white in `mask` the foreground; as StableDiffusionPipeline.

        `image` are the depths of foreground and background, `exemplars` pictures that show what either is like, and
        `exemplar_scale` the paper's lambdas. `sampling` are the fields of `Sampling`. Raises ValueError for conditions
        without their fuser, or for none.
        """
        fusers = self._fusers(image, exemplars, exemplar_scale, soft_guidance)
        told = self.told(prompt, negative_prompt, num_images_per_prompt)
        batch, size = len(told) // 2, self.size(height, width)
        conditions = {"mask": (self.seen(mask, batch, size).mean(1, keepdim=True) >= 0.5).to(told)}
        for stream, shown in zip(STREAMS, image or (), strict=False):
            conditions[f"{stream} image"] = self.seen(shown, batch, size)
        for stream, shown in zip(STREAMS, exemplars or (), strict=False):
            conditions[f"{stream} embedding"] = self._embedding(shown).expand(batch, -1)
        unet = with_soft_guidance(self.unet, soft_guidance)
        ground = compose_and_conquer(unet, fusers, told, conditions)
        return self.pictures(decoded(unet, ground), batch, size, Sampling(**sampling))

    def _fusers(self, image: Any, exemplars: Any, weights: tuple[float, float], kind: Kind) -> Fusers:
        if image is None and exemplars is None:
            raise ValueError("it takes `image`, the depths of foreground and background, or `exemplars`, or both")
        for name, given, fuser in (
            ("image", image, self.local_fuser),
            ("exemplars", exemplars, self.global_fuser),
        ):
            if given is not None and fuser is None:
                raise ValueError(f"`{name}` was given, and the pipeline has no fuser for it")
        local = None
        if image is not None:
            local = sharing_weights(self.local_fuser)
            local.encoder.set_attn_processor(SoftGuidance(kind))
        return Fusers(local, None if exemplars is None else self.global_fuser, weights).eval()

    def _embedding(self, shown: Any) -> Tensor:
        """CLIP's, as coarse as the float16 that records keep and fusers are trained on."""
        seen = self.feature_extractor(shown, return_tensors="pt").pixel_values
        embeds: Tensor = self.image_encoder(seen.to(self.unet.device, self.image_encoder.dtype)).image_embeds
        return embeds.half().to(self.unet.dtype)
