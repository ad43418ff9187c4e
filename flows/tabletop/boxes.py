"""Figures of the U-Net that knows where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from sluice.flows.tabletop.figure import PAIRS, Figure
from sluice.flows.tabletop.making import GUIDANCE, ON, STEPS, in_parts
from sluice.flows.tabletop.reading import read_all
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import Denoiser, ddim
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.render import render
from sluice.preprocess.tabletop.scene import Thing
from sluice.training.tabletop.seen import BOXES, phrase_of


def measure_boxes(models: Path, pictures: int = 200) -> list[Figure]:
    """How often an object is where its box is: intersection over union of at least a half."""
    model = LatentDiffusion.load(models)
    unet: Any = UNet2DConditionModel.from_pretrained(models / "unet_boxes", torch_dtype=torch.float32)
    null = model.states([""])
    scenes = [PAIRS.scene(n) for n in range(pictures)]
    right = []
    for start, some in in_parts(scenes):
        asked = _boxes(model, some)
        made = model.decode(ddim(_gligen(unet, null, asked), model.noise(len(some), start), model.scheduler, STEPS))
        for number, (reading, scene) in enumerate(zip(read_all(models, made), some, strict=True)):
            for row, thing in enumerate(scene.things):
                assert isinstance(thing, Thing)
                box = asked["boxes"][number, row].tolist()
                right.append(_overlap(reading.classes == class_number(thing.shape), box) >= 0.5)
    return [Figure("unet_boxes", "shape where its box is", float(np.mean(right)), f"{pictures} pairs, {ON}")]


def _boxes(model: LatentDiffusion, scenes: Sequence[Any]) -> dict[str, Tensor]:
    boxes, present = torch.zeros(len(scenes), BOXES, 4), torch.zeros(len(scenes), BOXES)
    tokens = model.tokenizer([phrase_of(t) for scene in scenes for t in scene.things], padding="max_length")
    with torch.no_grad():
        pooled = iter(model.text_encoder(torch.tensor(tokens.input_ids)).pooler_output)
    phrases = torch.zeros(len(scenes), BOXES, model.text_encoder.config.hidden_size)
    for number, scene in enumerate(scenes):
        found = render(scene, 64).boxes / 64
        for row in range(len(scene.things)):
            boxes[number, row] = torch.from_numpy(found[row])
            phrases[number, row], present[number, row] = next(pooled), 1
    return {"boxes": boxes, "positive_embeddings": phrases, "masks": present}


def _gligen(unet: Any, null: Tensor, asked: dict[str, Tensor]) -> Denoiser:
    both = {name: torch.cat([value, value]) for name, value in asked.items()}
    both["masks"] = torch.cat([torch.zeros_like(asked["masks"]), asked["masks"]])

    @torch.no_grad()
    def denoiser(x: Tensor, t: int) -> Tensor:
        states = null.expand(2 * len(x), -1, -1)
        options = {"gligen": dict(both)}
        without, placed = unet(torch.cat([x, x]), t, states, cross_attention_kwargs=options).sample.chunk(2)
        return torch.lerp(without, placed, GUIDANCE)

    return denoiser


def _overlap(inside: Array, box: Sequence[float]) -> float:
    """Intersection over union of a box, in shares of the picture, and the box around a region."""
    rows, columns = np.nonzero(inside)
    if not len(rows):
        return 0.0
    height, width = inside.shape
    own = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    wide = min(own[2], box[2]) - max(own[0], box[0])
    high = min(own[3], box[3]) - max(own[1], box[1])
    shared = max(wide, 0) * max(high, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (own, box)]
    return float(shared / (sum(areas) - shared))
