"""A small safety checker that was never trained."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor

TOWER = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
SEEN = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}


def checker(folder: Path, threshold: float) -> Path:
    """Diffusers' safety checker, as in a pipeline's folder: at a threshold of 1 all is safe, at -1 nothing."""
    torch.manual_seed(0)
    vision = {**TOWER, "image_size": 16, "patch_size": 8}
    network = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=8))
    network.concept_embeds.data.normal_()
    network.concept_embeds_weights.data.fill_(threshold)
    network.save_pretrained(folder / "safety_checker")
    CLIPImageProcessor(**SEEN).save_pretrained(folder / "feature_extractor")
    return folder / "safety_checker"
