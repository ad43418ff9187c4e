"""Figures of the inpainting U-Net, with Telea's method beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor

from sluice.flows.tabletop.figure import SHOWN, Figure
from sluice.flows.tabletop.making import STEPS, in_parts
from sluice.flows.tabletop.reading import to_bytes
from sluice.inference.denoisers import inpainting
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import ddim
from sluice.infra.weights.pretrained import load_network
from sluice.preprocess.tabletop.render import render
from sluice.training.tabletop.scenes import pixels
from sluice.training.tabletop.seen import hole, some_thing


@dataclass(frozen=True)
class Emptied:
    """Scenes as pictures, the hole of one thing in each, and what is truly behind; pictures have values -1 to 1."""

    pictures: Tensor
    holes: Tensor
    behind: Tensor


def emptied(numbers: Sequence[int]) -> Emptied:
    """Held-out scenes and their holes, `(batch, 3, 64, 64)` and `(batch, 1, 64, 64)`."""
    shown = [SHOWN.render(number) for number in numbers]
    removed = [some_thing(picture, number) for picture, number in zip(shown, numbers, strict=True)]
    behind = [render(SHOWN.scene(number).without(k), SHOWN.size) for number, k in zip(numbers, removed, strict=True)]
    holes = np.stack([hole(picture, k) for picture, k in zip(shown, removed, strict=True)])
    return Emptied(pixels(shown), torch.from_numpy(holes)[:, None], pixels(behind))


@torch.no_grad()
def inpainted(models: Path, model: LatentDiffusion, pictures: Tensor, holes: Tensor, noise: Tensor) -> Tensor:
    """Pictures with their holes filled, from a noise like their latents; the rest is as it was."""
    unet: Any = load_network(UNet2DConditionModel, models, subfolder="inpaint_unet", dtype=torch.float32)
    masked = model.encode(pictures * (1 - holes))
    small = F.interpolate(holes, size=masked.shape[2:])
    null = model.states([""]).expand(len(pictures), -1, -1)
    made = ddim(inpainting(unet, null, small, masked), noise, model.scheduler, STEPS)
    return torch.lerp(pictures, model.decode(made), holes)


def telea(pictures: Tensor, holes: Tensor) -> Tensor:
    """The same by Telea's method."""
    filled = [
        cv2.inpaint(picture, (own * 255).byte().numpy(), 3, cv2.INPAINT_TELEA)
        for picture, own in zip(to_bytes(pictures), holes[:, 0], strict=True)
    ]
    return torch.from_numpy(np.stack(filled).transpose(0, 3, 1, 2)) / 127.5 - 1


def measure_inpainting(models: Path, scenes: int) -> list[Figure]:
    """Error against the true background inside the hole, over Telea's: of what is likeliest, and of one of many."""
    model = LatentDiffusion.load(models)
    errors: dict[str, list[Tensor]] = {"likeliest": [], "drawn": [], "telea": []}
    for seed, numbers in in_parts(range(scenes)):
        shown = emptied(numbers)
        pictures, holes = shown.pictures, shown.holes
        noise = model.noise(len(pictures), seed)
        made = {
            "likeliest": inpainted(models, model, pictures, holes, 0 * noise),
            "drawn": inpainted(models, model, pictures, holes, noise),
            "telea": telea(pictures, holes),
        }
        for method, found in made.items():
            wrong = ((found - shown.behind).abs() * holes).sum(dim=(1, 2, 3))
            errors[method].append(wrong / (3 * holes.sum(dim=(1, 2, 3))))
    means = {method: float(torch.cat(own).mean()) for method, own in errors.items()}
    ratios = {method: means[method] / means["telea"] for method in ("likeliest", "drawn")}
    on = f"{scenes} scenes, {STEPS} DDIM steps"
    return [
        Figure(
            "inpaint_unet", "error in the hole / Telea's", ratios["likeliest"], f"{on} from no noise", 0.75, lower=True
        ),
        Figure("inpaint_unet", "the same, from noise", ratios["drawn"], on, lower=True),
    ]
