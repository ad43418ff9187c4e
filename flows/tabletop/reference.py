"""Figures of the reference picture's adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from sluice.flows.tabletop.figure import SINGLE, Figure
from sluice.flows.tabletop.making import GUIDANCE, ON, STEPS, in_parts, shown_figures, single
from sluice.flows.tabletop.reading import Reading, read_all
from sluice.inference.adapters import with_ip_adapter
from sluice.inference.denoisers import by_picture, guided
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.perception.judges import Judges
from sluice.training.tabletop.reference import WEIGHTS
from sluice.training.tabletop.scenes import pixels


def adapted(models: Path) -> LatentDiffusion:
    """The family with its IP-Adapter on the U-Net."""
    model = LatentDiffusion.load(models)
    return replace(model, unet=with_ip_adapter(model.unet, models / "ip_adapter" / WEIGHTS))


@torch.no_grad()
def reference_pictures(models: Path, model: LatentDiffusion, references: Tensor, seed: int) -> Tensor:
    """A picture for each reference `(batch, 3, height, width)`, without a caption; all values -1 to 1."""
    encoder: Any = load_network(CLIPVisionModelWithProjection, models, subfolder="image_encoder").float()
    null = model.states([""]).expand(len(references), -1, -1)
    denoiser = guided(by_picture(model.unet, null, null, encoder(references).image_embeds), GUIDANCE)
    return model.sample(denoiser, len(references), seed, STEPS)


def measure_reference(models: Path, pictures: int) -> list[Figure]:
    """How often a picture shows the object of the reference, without a caption."""
    model, judges = adapted(models), Judges.load(models / "judges")
    readings: list[Reading] = []
    for seed, some in in_parts(range(pictures)):
        references = pixels([SINGLE.render(number) for number in some])
        readings += read_all(judges, reference_pictures(models, model, references, seed))
    return shown_figures("ip_adapter", single(pictures), readings, f"{pictures} pictures, {ON}")
