"""Our sampler against diffusers' own pipeline, and batches against pictures one by one, on tabletop."""

from __future__ import annotations

import torch
from diffusers import StableDiffusionPipeline

from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.infra.weights.models import find
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.turns import in_turns

PROMPTS = [f"a {colour} {shape}" for colour in ("red", "blue") for shape in ("star", "cube", "ball", "ring")]
STEPS, GUIDANCE, ROUNDS = 20, 5.0, 7


def run() -> list[Result]:
    """The same weights, prompts, noise and steps, decoded."""
    folder = find("tabletop").path
    model = LatentDiffusion.load(folder)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    how = {"guidance_scale": GUIDANCE, "num_inference_steps": STEPS, "output_type": "pt"}
    seconds = in_turns(
        {
            "ours": lambda: model.generate(PROMPTS, guidance=GUIDANCE, steps=STEPS),
            "diffusers'": lambda: pipeline(PROMPTS, latents=model.noise(len(PROMPTS), 0), **how),
            "one by one": lambda: [model.generate([own], guidance=GUIDANCE, steps=STEPS) for own in PROMPTS],
        },
        ROUNDS,
    )
    details = {f"{name}, pictures/s": round(len(PROMPTS) / value, 2) for name, value in seconds.items()}
    return [
        Result("our sampler / diffusers' pipeline", seconds["ours"] / seconds["diffusers'"], Goal("<=", 1.02), details),
        Result("a batch of 8 / one by one, pictures/s", seconds["one by one"] / seconds["ours"], Goal(">=", 1.2)),
    ]
