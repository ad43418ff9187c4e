"""Figures of the parts that make pictures: what they were asked for, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from torch import Tensor

from sluice.flows.tabletop.figure import AT_ONCE, PAIRS, SINGLE, Figure
from sluice.flows.tabletop.reading import Reading, colour_shown, read_all, to_bytes
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import ddim
from sluice.preprocess.tabletop.classes import class_number
from sluice.preprocess.tabletop.scene import Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.words import plain_caption
from sluice.training.tabletop.class_denoiser import NULL_CLASS

GUIDANCE, STEPS = 5.0, 25
ON = f"guidance {GUIDANCE:g}, {STEPS} DDIM steps"


def measure_unet(models: Path, prompts: int = 200) -> list[Figure]:
    """How often a picture shows what a prompt names, of one object and of two."""
    model = LatentDiffusion.load(models)
    things = single(prompts)
    readings = read(models, things, lambda some, seed: model.generate(_captions(some), seed, GUIDANCE, STEPS))
    on = f"{prompts} prompts, {ON}"
    return [
        *shown_figures("unet", things, readings, on, floor=0.7),
        Figure("unet", "both of two objects right", _pairs_right(models, model, prompts), on),
    ]


def _pairs_right(models: Path, model: LatentDiffusion, prompts: int) -> float:
    pairs = [[thing for thing in PAIRS.scene(n).things if isinstance(thing, Thing)] for n in range(prompts)]
    right = []
    for start, some in in_parts(pairs):
        made = model.generate([" and ".join(map(plain_caption, pair)) for pair in some], start, GUIDANCE, STEPS)
        for picture, reading, pair in zip(to_bytes(made), read_all(models, made), some, strict=True):
            right.append(all(colour_shown(picture, reading.classes, t.shape) == t.colour for t in pair))
    return float(np.mean(right))


def measure_classes(models: Path, pictures: int = 200) -> list[Figure]:
    """How often a picture shows the shape of its class."""
    model = LatentDiffusion.load(models)
    unet: Any = UNet2DModel.from_pretrained(models / "unet_class", torch_dtype=torch.float32)
    # DDIM has no use for the variance that this schedule lets it learn.
    schedule = DDIMScheduler.from_config(DDPMScheduler.from_pretrained(models / "unet_class").config)
    shapes = [list(SHAPES)[n % len(SHAPES)] for n in range(pictures)]

    @torch.no_grad()
    def make(some: Sequence[str], seed: int) -> Tensor:
        asked = torch.tensor([list(SHAPES).index(shape) for shape in some])
        both = torch.cat([torch.full_like(asked, NULL_CLASS), asked])

        def denoiser(x: Tensor, t: int) -> Tensor:
            without, of_class = unet(torch.cat([x, x]), t, both).sample[:, :4].chunk(2)
            return torch.lerp(without, of_class, GUIDANCE)

        return model.decode(ddim(denoiser, model.noise(len(some), seed), schedule, STEPS))

    right = [reading.shape == shape for reading, shape in zip(read(models, shapes, make), shapes, strict=True)]
    return [Figure("unet_class", "right shape", float(np.mean(right)), f"{pictures} pictures, {ON}")]


def measure_faces(models: Path, pictures: int = 100) -> list[Figure]:
    """How often a picture is a face with eyes, nose and mouth."""
    unet: Any = UNet2DModel.from_pretrained(models / "unet_face", torch_dtype=torch.float32)
    schedule = DDIMScheduler.from_pretrained(models / "unet_face")

    def make(some: Sequence[int], seed: int) -> Tensor:
        size = unet.config.sample_size
        noise = torch.randn(len(some), 3, size, size, generator=torch.Generator().manual_seed(seed))
        return ddim(lambda x, t: unet(x, t).sample, noise, schedule, STEPS).clamp(-1, 1)

    readings = read(models, range(pictures), make)
    parts = [class_number(name) for name in ("plate", "face", "eye", "nose", "mouth")]
    whole = [all((reading.classes == part).any() for part in parts) for reading in readings]
    return [Figure("unet_face", "a whole face", float(np.mean(whole)), f"{pictures} pictures, {STEPS} DDIM steps")]


def single(count: int) -> list[Thing]:
    """The objects of so many scenes of one."""
    return [thing for n in range(count) for thing in SINGLE.scene(n).things if isinstance(thing, Thing)]


def _captions(things: Sequence[Thing]) -> list[str]:
    return [plain_caption(thing) for thing in things]


def read(models: Path, asked: Sequence[Any], make: Callable[[Sequence[Any], int], Tensor]) -> list[Reading]:
    """Readings of what `make(some of what is asked, seed)` makes."""
    return [reading for start, some in in_parts(asked) for reading in read_all(models, make(some, start))]


def in_parts(asked: Sequence[Any]) -> Iterator[tuple[int, Sequence[Any]]]:
    """As many at once as memory likes, with the number of the first."""
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
