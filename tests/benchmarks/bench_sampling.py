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

    def ours() -> object:
        return model.generate(PROMPTS, guidance=GUIDANCE, steps=STEPS)

    def theirs() -> object:
        return pipeline(PROMPTS, latents=model.noise(len(PROMPTS), 0), **how)

    def one_by_one() -> object:
        return [model.generate([own], guidance=GUIDANCE, steps=STEPS) for own in PROMPTS]

    # In pairs: what comes after pictures one by one pays for the memory that a batch takes.
    whole = in_turns({"ours": ours, "diffusers'": theirs}, ROUNDS)
    parts = in_turns({"a batch": ours, "one by one": one_by_one}, ROUNDS)
    details = {f"{name}, pictures/s": round(len(PROMPTS) / value, 2) for name, value in {**whole, **parts}.items()}
    return [
        Result("our sampler / diffusers' pipeline", whole["ours"] / whole["diffusers'"], Goal("<=", 1.02), details),
        Result("a batch of 8 / one by one, pictures/s", parts["one by one"] / parts["a batch"], Goal(">=", 1.2)),
    ]
