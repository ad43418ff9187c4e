"""A folder of a small model of Stable Diffusion's classes: what diffusers' own pipeline makes of it, ours makes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sluice.inference.denoisers import by_text, guided, noise_of
from sluice.inference.latent_diffusion import LatentDiffusion
from sluice.inference.sampler import ddim
from sluice.infra.weights.models import find
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
    text_encoder(len(tokenizer), tokenizer.eos_token_id, 16).save_pretrained(folder / "text_encoder")
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


def text_encoder(words: int, end: int, width: int) -> CLIPTextModel:
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return CLIPTextModel(CLIPTextConfig(vocab_size=words, hidden_size=width, eos_token_id=end, **layers))


def theirs_and_ours(folder: Path, latents: Tensor, guidance: float, steps: int, predicts: str) -> list[Tensor]:
    """Latents by diffusers' pipeline and by this sampler, in the precision of where they begin."""
    model = LatentDiffusion.load(folder, dtype=latents.dtype)
    model = replace(model, scheduler=DDIMScheduler.from_pretrained(folder / "scheduler", prediction_type=predicts))
    scheduler = DDIMScheduler.from_config(model.scheduler.config)
    parts = {"vae": model.vae, "text_encoder": model.text_encoder, "tokenizer": model.tokenizer, "unet": model.unet}
    unused: Any = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = StableDiffusionPipeline(**parts, scheduler=scheduler, **unused)
    pipeline.set_progress_bar_config(disable=True)
    options = {"guidance_scale": guidance, "num_inference_steps": steps, "output_type": "latent"}
    theirs = pipeline(PROMPTS, latents=latents, **options).images
    bound = noise_of(by_text(model.unet, model.states(PROMPTS), model.states([""])), model.scheduler)
    return [theirs, ddim(guided(bound, guidance), latents, model.scheduler, steps)]


@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("guidance", [1.5, 5.0, 7.5])
def test_its_latents_are_those_of_the_pipeline_of_diffusers(folder: Path, guidance: float, predicts: str) -> None:
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    theirs, ours = theirs_and_ours(folder, latents, guidance, 20, predicts)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)  # the schedule is in float32


def test_tabletops_pictures_are_those_of_the_pipeline_of_diffusers() -> None:
    latents = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(3))
    for wide, most in ((latents.double(), 1e-8), (latents, 1e-4)):  # what twenty steps in float32 round: 3e-5 here
        theirs, ours = theirs_and_ours(find("tabletop").path, wide, 5.0, 20, "epsilon")
        torch.testing.assert_close(ours, theirs, rtol=0, atol=most)


@pytest.mark.slow
def test_at_stable_diffusions_shapes_too(folder: Path, tmp_path: Path) -> None:
    """Its U-Net and texts as wide as its own, of random weights, beside the small model's other parts."""
    shutil.copytree(folder, tmp_path / "model")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    torch.manual_seed(0)
    for part, network in (
        ("unet", UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)),
        ("text_encoder", text_encoder(len(tokenizer), tokenizer.eos_token_id, 768)),
    ):
        shutil.rmtree(tmp_path / "model" / part)
        network.save_pretrained(tmp_path / "model" / part)
    latents = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(3))
    theirs, ours = theirs_and_ours(tmp_path / "model", latents, 5.0, 2, "epsilon")
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


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
