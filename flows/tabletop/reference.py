"""Figures of the reference picture's adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from sluice.flows.tabletop.figure import SINGLE, Figure
from sluice.flows.tabletop.making import GUIDANCE, ON, STEPS, read, shown_figures, single
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import ddim
from sluice.training.tabletop.reference import WEIGHTS
from sluice.training.tabletop.scenes import pixels


def measure_reference(models: Path, pictures: int = 200) -> list[Figure]:
    """How often a picture shows the object of the reference, without a caption."""
    model = LatentDiffusion.load(models)
    state = load_file(models / "ip_adapter" / WEIGHTS)
    adapter: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in state.items():
        part, _, rest = name.partition(".")
        adapter[part][rest] = tensor.float()
    model.unet._load_ip_adapter_weights([adapter])
    encoder: Any = CLIPVisionModelWithProjection.from_pretrained(models / "image_encoder").float()
    null = model.states([""])

    @torch.no_grad()
    def make(some: Sequence[int], seed: int) -> Tensor:
        embeds = encoder(pixels([SINGLE.render(n) for n in some])).image_embeds[:, None]
        both = {"image_embeds": [torch.cat([torch.zeros_like(embeds), embeds])]}

        def denoiser(x: Tensor, t: int) -> Tensor:
            states = null.expand(2 * len(x), -1, -1)
            without, seen = model.unet(torch.cat([x, x]), t, states, added_cond_kwargs=both).sample.chunk(2)
            return torch.lerp(without, seen, GUIDANCE)

        return model.decode(ddim(denoiser, model.noise(len(some), seed), model.scheduler, STEPS))

    readings = read(models, range(pictures), make)
    return shown_figures("ip_adapter", single(pictures), readings, f"{pictures} pictures, {ON}")
