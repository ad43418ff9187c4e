"""A folder of a small model of Stable Diffusion's classes: what diffusers' own pipeline makes of it, ours makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.training.tabletop.noise import sd_schedule
from sluice.training.tabletop.vocabulary import make_tokenizer

PROMPTS = ["a red star", "two stars"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, laid out as Stable Diffusion 1.5 is."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    tokenizer = make_tokenizer(["a", "red", "two", "star", "stars"])
    tokenizer.save_pretrained(folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        eos_token_id=tokenizer.eos_token_id,
    )
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=0.5,
    ).save_pretrained(folder / "vae")
    sd_schedule().save_pretrained(folder / "scheduler")
    return folder


@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("guidance", [1.5, 7.5])
def test_it_makes_what_the_pipeline_of_diffusers_makes(folder: Path, guidance: float, predicts: str) -> None:
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", prediction_type=predicts)
    model = replace(LatentDiffusion.load(folder), scheduler=scheduler)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(folder / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(folder / "unet"),
        scheduler=DDIMScheduler.from_config(scheduler.config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    options = {"guidance_scale": guidance, "num_inference_steps": 7, "output_type": "pt"}
    theirs = pipeline(PROMPTS, latents=model.noise(2, seed=3), **options).images
    ours = model.generate(PROMPTS, seed=3, guidance=guidance, steps=7)
    torch.testing.assert_close(ours, theirs * 2 - 1, rtol=0, atol=1e-4)


def test_encoding_is_the_inverse_of_decoding_as_far_as_the_autoencoder_is(folder: Path) -> None:
    model = LatentDiffusion.load(folder)
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = model.encode(pictures)
    assert latents.shape == (2, 4, 8, 8)
    with torch.no_grad():
        plain = model.vae.decode(model.vae.encode(pictures).latent_dist.mode()).sample
    torch.testing.assert_close(model.decode(latents), plain.clamp(-1, 1), rtol=0, atol=1e-5)


def test_a_seed_is_a_picture(folder: Path) -> None:
    model = LatentDiffusion.load(folder)
    first, again, other = (model.generate(PROMPTS[:1], seed=seed, steps=2) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("prompts", "asked", "told"),
    [
        ("a red star", {}, "several strings, .* and not 'a red star'"),
        ([], {}, "several strings, .* and not \\[\\]"),
        (PROMPTS, {"steps": 0}, "at least one step, and not 0"),
        (PROMPTS, {"guidance": float("nan")}, "finite number, and not nan"),
    ],
)
def test_what_makes_no_picture_is_refused(folder: Path, prompts: Any, asked: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LatentDiffusion.load(folder).generate(prompts, **asked)
