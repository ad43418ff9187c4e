"""What the tabletop family can do, on scenes that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import (
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    SegformerForSemanticSegmentation,
)

from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.metrics.mean_iou import MeanIou
from sluice.inference.metrics.psnr import psnr
from sluice.inference.metrics.retrieval import retrieval
from sluice.infra.errors import SluiceError
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import CLASSES, class_number
from sluice.preprocess.tabletop.colours import COLOURS
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.words import caption, plain_caption
from sluice.training.tabletop.encoders import tokens_of
from sluice.training.tabletop.scenes import HELD_OUT, Scenes, pixels

BATCH = 50
HELD_OUT_SCENES = Scenes((("tabletop", 0.8), ("faces", 0.2)), HELD_OUT)
GUIDANCE, STEPS = 5.0, 25
SMALLEST = 20
"""Pixels that a generated object must have at least, of 64 x 64, to count as there."""


class NothingTrained(SluiceError):
    """There is no model to measure."""


@dataclass(frozen=True)
class Figure:
    """A measured number: what it is, on what it was measured, and the floor it is held to."""

    part: str
    name: str
    value: float
    floor: float | None
    measured_on: str


@torch.no_grad()
def measure_family(models: Path) -> list[Figure]:
    """Every figure of the parts that are there. Raises NothingTrained where there are none."""
    parts = {
        "vae": measure_autoencoder,
        "text_encoder": measure_encoders,
        "parser": measure_parser,
        "unet": measure_unet,
    }
    there = [measure for folder, measure in parts.items() if (models / folder).exists()]
    if not there:
        raise NothingTrained(f"{models} holds none of {', '.join(parts)}; `sluice train tabletop` trains them.")
    return [figure for measure in there for figure in measure(models)]


def measure_autoencoder(models: Path, scenes: int = 500) -> list[Figure]:
    """PSNR of held-out pictures after encoding and decoding."""
    vae: Any = AutoencoderKL.from_pretrained(models / "vae", torch_dtype=torch.float32)
    found = [psnr(vae.decode(vae.encode(x).latent_dist.mode()).sample, x) for x in _pictures(scenes)]
    return [Figure("vae", "PSNR, dB", float(torch.cat(found).mean()), 25.0, f"{scenes} scenes")]


def measure_encoders(models: Path, groups: int = 5) -> list[Figure]:
    """Retrieval among 100 captions of 100 held-out scenes."""
    tokenizer = CLIPTokenizer.from_pretrained(models / "tokenizer")
    text = CLIPTextModelWithProjection.from_pretrained(models / "text_encoder").float()
    image = CLIPVisionModelWithProjection.from_pretrained(models / "image_encoder").float()
    scenes = Scenes(seed=HELD_OUT)
    found = []
    for group in range(groups):
        numbers = range(100 * group, 100 * (group + 1))
        shown = image(pixels([scenes.render(n) for n in numbers])).image_embeds
        told = text(tokens_of(tokenizer, [caption(scenes.scene(n)) for n in numbers])).text_embeds
        found.append(retrieval(shown, told))
    to_text, to_image = np.mean(found, axis=0)
    on = f"{groups} times 100 scenes"
    return [
        Figure("encoders", "picture finds its caption among 100", float(to_text), 0.6, on),
        Figure("encoders", "caption finds its picture among 100", float(to_image), None, on),
    ]


def measure_parser(models: Path, scenes: int = 500) -> list[Figure]:
    """Mean intersection over union on held-out scenes."""
    parser: Any = SegformerForSemanticSegmentation.from_pretrained(models / "parser").float()
    iou = MeanIou(len(CLASSES))
    for start in range(0, scenes, BATCH):
        shown = [HELD_OUT_SCENES.render(n) for n in range(start, min(start + BATCH, scenes))]
        truth = torch.from_numpy(np.stack([s.semantic for s in shown]))
        iou.add(parse(parser, pixels(shown)), truth)
    return [Figure("parser", "mean IoU", iou.mean(), 0.75, f"{scenes} scenes")]


def parse(parser: Any, pictures: Tensor) -> Tensor:
    """Class numbers `(batch, height, width)` of pictures `(batch, 3, height, width)`, values -1 to 1."""
    logits = F.interpolate(parser(pictures).logits, size=pictures.shape[2:], mode="bilinear", align_corners=False)
    return logits.argmax(dim=1)


def measure_unet(models: Path, prompts: int = 200) -> list[Figure]:
    """How often a generated picture shows what a prompt of one object names."""
    scenes = Scenes((("one", 1.0),), HELD_OUT)
    things = [thing for n in range(prompts) for thing in scenes.scene(n).things if isinstance(thing, Thing)]
    parser: Any = SegformerForSemanticSegmentation.from_pretrained(models / "parser").float()
    model = LatentDiffusion.load(models)
    shapes, colours = [], []
    for start in range(0, len(things), BATCH):
        part = things[start : start + BATCH]
        made = model.generate([plain_caption(thing) for thing in part], start, GUIDANCE, STEPS)
        for picture, classes, thing in zip(_bytes(made), parse(parser, made).numpy(), part, strict=True):
            shapes.append(shape_shown(classes) == thing.shape)
            colours.append(colour_shown(picture, classes) == thing.colour)
    both = [shape and colour for shape, colour in zip(shapes, colours, strict=True)]
    on = f"{prompts} prompts, guidance {GUIDANCE:g}, {STEPS} DDIM steps"
    return [
        Figure("unet", "right shape and colour", float(np.mean(both)), 0.7, on),
        Figure("unet", "right shape", float(np.mean(shapes)), None, on),
        Figure("unet", "right colour", float(np.mean(colours)), None, on),
    ]


def shape_shown(classes: Array) -> str | None:
    """The shape with the most pixels of a parsed picture, None where no shape has enough."""
    counts = {shape: int((classes == class_number(shape)).sum()) for shape in SHAPES}
    shape = max(counts, key=counts.__getitem__)
    return shape if counts[shape] >= SMALLEST else None


def colour_shown(picture: Array, classes: Array) -> str | None:
    """The colour whose HSV range holds the most pixels of what was parsed as a shape; `picture` is uint8 RGB."""
    inside = np.isin(classes, [class_number(shape) for shape in SHAPES])
    if inside.sum() < SMALLEST:
        return None
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    counts = {
        name: sum(int((cv2.inRange(hsv, low, high)[inside] > 0).sum()) for low, high in colour.ranges)
        for name, colour in COLOURS.items()
    }
    return max(counts, key=counts.__getitem__)


def _pictures(scenes: int) -> Iterator[Tensor]:
    for start in range(0, scenes, BATCH):
        yield pixels([HELD_OUT_SCENES.render(n) for n in range(start, min(start + BATCH, scenes))])


def _bytes(pictures: Tensor) -> Array:
    levels: Array = ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(levels)
