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
from sluice.inference.denoisers import by_boxes, guided
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.render import render
from sluice.preprocess.tabletop.scene import Scene, Thing
from sluice.training.tabletop.box_denoiser import in_slots
from sluice.training.tabletop.seen import PHRASES, places

FOUND = 0.5


def measure_boxes(models: Path, pictures: int) -> list[Figure]:
    """How often an object is where its box is: intersection over union of at least a half."""
    model, judges = LatentDiffusion.load(models), Judges.load(models / "judges")
    right: list[bool] = []
    for seed, some in in_parts([PAIRS.scene(n) for n in range(pictures)]):
        readings = read_all(judges, box_pictures(models, model, some, seed))
        for reading, scene in zip(readings, some, strict=True):
            for thing, box in zip(scene.things, boxes_of(scene), strict=True):
                assert isinstance(thing, Thing)
                right.append(overlap(reading.classes == class_number(thing.shape), box) >= FOUND)
    return [Figure("unet_boxes", "shape where its box is", float(np.mean(right)), f"{pictures} pairs, {ON}")]


def box_pictures(models: Path, model: LatentDiffusion, scenes: Sequence[Scene], seed: int) -> Tensor:
    """A picture for the boxes of each scene, without a caption, values -1 to 1."""
    unet: Any = load_network(UNet2DConditionModel, models, subfolder="unet_boxes", dtype=torch.float32)
    null = model.states([""]).expand(len(scenes), -1, -1)
    denoiser = guided(by_boxes(unet, null, null, _asked(model, scenes)), GUIDANCE)
    return model.sample(denoiser, len(scenes), seed, STEPS)


def boxes_of(scene: Scene) -> Array:
    """Left, top, right, bottom of its things `(things, 4)`, as shares of the picture."""
    shares: Array = render(scene, PAIRS.size).boxes / PAIRS.size
    return shares


@torch.no_grad()
def _asked(model: LatentDiffusion, scenes: Sequence[Scene]) -> dict[str, Tensor]:
    tokens = model.tokenizer(PHRASES, padding="max_length", return_tensors="pt").input_ids
    phrases = dict(zip(PHRASES, model.text_encoder(tokens).pooler_output, strict=True))
    return in_slots(**places(scenes, [render(scene, PAIRS.size) for scene in scenes], phrases))


def overlap(inside: Array, box: Sequence[float]) -> float:
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
