"""How far the U-Net's pictures are from true ones, as the judges' body sees them."""

from __future__ import annotations

from pathlib import Path

import torch

from sluice.flows.tabletop.figure import SHOWN, Figure, rendered
from sluice.flows.tabletop.making import GUIDANCE, ON, STEPS, in_parts
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.metrics.frechet import frechet_distance
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.words import caption
from sluice.training.tabletop.scenes import pixels


@torch.no_grad()
def measure_distance(models: Path, pictures: int) -> list[Figure]:
    """The Fréchet distance of pictures by captions to the scenes that were told, and of other scenes to these."""
    model, judges = LatentDiffusion.load(models), Judges.load(models / "judges")
    true = torch.cat([judges.features(pixels(shown)) for shown in rendered(SHOWN, 2 * pictures)])
    made = torch.cat(
        [
            judges.features(model.generate([caption(SHOWN.scene(n)) for n in some], seed, GUIDANCE, STEPS))
            for seed, some in in_parts(range(pictures))
        ]
    )
    told, others = true[:pictures], true[pictures:]
    apart = {
        "to true scenes": (made, f"{pictures} captions, {ON}"),
        "true scenes to others": (others, f"{pictures} scenes"),
    }
    return [
        Figure("unet", f"Fréchet distance of features, {which}", frechet_distance(some, told), on, lower=True)
        for which, (some, on) in apart.items()
    ]
