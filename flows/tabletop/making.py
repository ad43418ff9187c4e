"""Figures of the parts that make pictures by captions, classes or nothing: what they show of what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from torch import Tensor

from sluice.flows.tabletop.figure import AT_ONCE, FACES, PAIRS, SINGLE, Figure, rendered
from sluice.flows.tabletop.reading import Reading, colour_shown, read_all, to_bytes
from sluice.inference.denoisers import by_class, guided, unconditional
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import ddim
from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.words import plain_caption
from sluice.training.tabletop.class_denoiser import NULL_CLASS
from sluice.training.tabletop.scenes import pixels

GUIDANCE, STEPS = 5.0, 25
ON = f"guidance {GUIDANCE:g}, {STEPS} DDIM steps"


def measure_unet(models: Path, prompts: int) -> list[Figure]:
    """How often a picture shows what a prompt names, of one object and of two."""
    model, judges = LatentDiffusion.load(models), Judges.load(models / "judges")
    things, on = single(prompts), f"{prompts} prompts, {ON}"
    readings: list[Reading] = []
    for seed, some in in_parts(things):
        readings += read_all(judges, model.generate([plain_caption(t) for t in some], seed, GUIDANCE, STEPS))
    pairs = [[thing for thing in PAIRS.scene(n).things if isinstance(thing, Thing)] for n in range(prompts)]
    right: list[bool] = []
    for seed, some in in_parts(pairs):
        made = model.generate([" and ".join(map(plain_caption, pair)) for pair in some], seed, GUIDANCE, STEPS)
        for picture, reading, pair in zip(to_bytes(made), read_all(judges, made), some, strict=True):
            right.append(all(colour_shown(picture, reading.classes, t.shape) == t.colour for t in pair))
    return [
        *shown_figures("unet", things, readings, on, floor=0.7),
        Figure("unet", "both of two objects right", float(np.mean(right)), on),
    ]


def class_pictures(models: Path, model: LatentDiffusion, shapes: Sequence[str], seed: int) -> Tensor:
    """A picture for each shape, values -1 to 1."""
    unet: Any = load_network(UNet2DModel, models, subfolder="unet_class", dtype=torch.float32)
    # DDIM has no use for the variance that this schedule lets it learn.
    schedule = DDIMScheduler.from_config(load(DDPMScheduler, models, subfolder="unet_class").config)
    asked = torch.tensor([list(SHAPES).index(shape) for shape in shapes])
    denoiser = guided(by_class(unet, asked, NULL_CLASS), GUIDANCE)
    return model.sample(denoiser, len(shapes), seed, STEPS, schedule)


def measure_classes(models: Path, pictures: int) -> list[Figure]:
    """How often a picture shows the shape of its class."""
    model, judges = LatentDiffusion.load(models), Judges.load(models / "judges")
    shapes = [list(SHAPES)[n % len(SHAPES)] for n in range(pictures)]
    right: list[bool] = []
    for seed, some in in_parts(shapes):
        readings = read_all(judges, class_pictures(models, model, some, seed))
        right += [reading.shape == shape for reading, shape in zip(readings, some, strict=True)]
    return [Figure("unet_class", "right shape", float(np.mean(right)), f"{pictures} pictures, {ON}")]


def face_pictures(models: Path, count: int, seed: int) -> Tensor:
    """So many faces, values -1 to 1."""
    unet: Any = load_network(UNet2DModel, models, subfolder="unet_face", dtype=torch.float32)
    size = unet.config.sample_size
    noise = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return ddim(unconditional(unet), noise, load(DDIMScheduler, models, subfolder="unet_face"), STEPS).clamp(-1, 1)


def measure_faces(models: Path, pictures: int) -> list[Figure]:
    """How often a picture has as much plate, face, eyes, nose and mouth as nineteen of twenty true ones, for each."""
    judges = Judges.load(models / "judges")
    true = np.concatenate([_face_parts(judges, pixels(shown)) for shown in rendered(FACES, pictures)])
    sizes = [(len(some), seed) for seed, some in in_parts(range(pictures))]
    made = np.concatenate([_face_parts(judges, face_pictures(models, count, seed)) for count, seed in sizes])
    enough = np.maximum(np.percentile(true, 5, axis=0), 1)
    whole, truly = (float((parts >= enough).all(axis=1).mean()) for parts in (made, true))
    return [
        Figure("unet_face", "whole faces", whole, f"{pictures} pictures, {STEPS} DDIM steps"),
        Figure("unet_face", "true faces that count as whole", truly, f"{pictures} scenes"),
    ]


def _face_parts(judges: Judges, pictures: Tensor) -> Array:
    """Pixels of each part of a face, `(batch, parts)`."""
    numbers = [class_number(name) for name in ("plate", "face", "eye", "nose", "mouth")]
    readings = read_all(judges, pictures)
    return np.array([[int((reading.classes == number).sum()) for number in numbers] for reading in readings])


def single(count: int) -> list[Thing]:
    """The objects of so many scenes of one."""
    return [thing for n in range(count) for thing in SINGLE.scene(n).things if isinstance(thing, Thing)]


def in_parts(asked: Sequence[Any]) -> Iterator[tuple[int, Sequence[Any]]]:
    """As many at once as memory likes, with the number of the first, which is their seed."""
    for start in range(0, len(asked), AT_ONCE):
        yield start, asked[start : start + AT_ONCE]


def shown_figures(
    part: str, things: Sequence[Thing], readings: Sequence[Reading], on: str, floor: float | None = None
) -> list[Figure]:
    """How often shape, colour and both are those of the object that was asked for."""
    shapes = [reading.shape == thing.shape for reading, thing in zip(readings, things, strict=True)]
    colours = [reading.colour == thing.colour for reading, thing in zip(readings, things, strict=True)]
    both = [shape and colour for shape, colour in zip(shapes, colours, strict=True)]
    return [
        Figure(part, "right shape and colour", float(np.mean(both)), on, floor),
        Figure(part, "right shape", float(np.mean(shapes)), on),
        Figure(part, "right colour", float(np.mean(colours)), on),
    ]
