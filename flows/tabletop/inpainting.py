"""Figures of the inpainting U-Net, with Telea's method beside it."""

from __future__ import annotations

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
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import ddim
from sluice.preprocess.tabletop.render import render
from sluice.training.tabletop.scenes import pixels
from sluice.training.tabletop.seen import hole


@torch.no_grad()
def measure_inpainting(models: Path, scenes: int = 200) -> list[Figure]:
    """Error against the true background inside the hole, over Telea's."""
    model = LatentDiffusion.load(models)
    unet: Any = UNet2DConditionModel.from_pretrained(models / "inpaint_unet", torch_dtype=torch.float32)
    null = model.states([""])
    ours: list[Tensor] = []
    teleas: list[Tensor] = []
    for start, numbers in in_parts(range(scenes)):
        drawn = [SHOWN.scene(n) for n in numbers]
        removed = [n % len(scene.things) for n, scene in zip(numbers, drawn, strict=True)]
        shown = [render(scene, 64) for scene in drawn]
        truth = pixels([render(scene.without(k), 64) for scene, k in zip(drawn, removed, strict=True)])
        holes = [hole(picture, k) for picture, k in zip(shown, removed, strict=True)]
        inside = torch.from_numpy(np.stack(holes))[:, None]
        masked = model.vae.encode(pixels(shown) * (1 - inside)).latent_dist.mode() * model.vae.config.scaling_factor
        small = F.interpolate(inside, size=masked.shape[2:])

        def denoiser(x: Tensor, t: int, small: Tensor = small, masked: Tensor = masked) -> Tensor:
            states = null.expand(len(x), -1, -1)
            predicted: Tensor = unet(torch.cat([x, small, masked], dim=1), t, states).sample
            return predicted

        made = model.decode(ddim(denoiser, model.noise(len(numbers), start), model.scheduler, STEPS))
        telea = [
            cv2.inpaint(picture.image, (own * 255).astype(np.uint8), 3, cv2.INPAINT_TELEA)
            for picture, own in zip(shown, holes, strict=True)
        ]
        painted = torch.from_numpy(np.stack(telea).transpose(0, 3, 1, 2)) / 127.5 - 1
        for found, errors in ((made, ours), (painted, teleas)):
            errors.append(((found - truth).abs() * inside).sum(dim=(1, 2, 3)) / (3 * inside.sum(dim=(1, 2, 3))))
    ratio = float(torch.cat(ours).mean() / torch.cat(teleas).mean())
    on = f"{scenes} scenes, {STEPS} DDIM steps"
    return [Figure("inpaint_unet", "error in the hole / Telea's", ratio, on, 0.75, lower=True)]
