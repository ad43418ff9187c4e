"""That every part trains, and that plain diffusers and transformers read what it saves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import (
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    SegformerForSemanticSegmentation,
)

from sluice.training.tabletop.denoiser import Denoiser, min_snr_weights, sd_schedule
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.encoders import tokens_of
from sluice.training.tabletop.family import family
from sluice.training.tabletop.loop import Training

CPU = torch.device("cpu")


def quiet(*_: object) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of every part."""
    folder = tmp_path_factory.mktemp("family")
    for part in family(folder).values():
        part.recipe = replace(part.recipe, steps=2, batch=4)
        if isinstance(part, Denoiser):
            part.count = 500
        part.prepare(folder / "models", quiet)
        network = Training(part, folder / "models", folder / part.name, 0, CPU).run(quiet)
        part.save(network, folder / "models")
    return folder / "models"


def test_parts_come_after_those_they_need(tmp_path: Path) -> None:
    seen: set[str] = set()
    for name, part in family(tmp_path).items():
        assert set(part.needs) <= seen
        seen.add(name)


def test_the_saved_family_makes_a_picture_from_a_caption(trained: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(trained / "tokenizer")
    text = CLIPTextModel.from_pretrained(trained / "text_encoder").float()
    unet = UNet2DConditionModel.from_pretrained(trained / "unet")
    autoencoder = AutoencoderKL.from_pretrained(trained / "vae")
    assert DDIMScheduler.from_pretrained(trained / "scheduler").config.prediction_type == "epsilon"
    states = text(tokens_of(tokenizer, ["a red star"])).last_hidden_state
    noise = unet(torch.randn(1, 4, 16, 16), 10, states).sample
    assert autoencoder.decode(noise / autoencoder.config.scaling_factor).sample.shape == (1, 3, 64, 64)


def test_the_parts_that_see_read_a_picture(trained: Path) -> None:
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    assert CLIPVisionModelWithProjection.from_pretrained(trained / "image_encoder").float()(
        picture
    ).image_embeds.shape == (2, 128)
    assert SegformerForSemanticSegmentation.from_pretrained(trained / "parser").float()(picture).logits.shape[:2] == (
        2,
        22,
    )


def test_weights_are_half_precision_and_small(trained: Path) -> None:
    sizes = {file.parent.name: file.stat().st_size for file in trained.rglob("*.safetensors")}
    assert sizes["unet"] < 6e6
    assert sum(sizes.values()) < 14e6


def test_latents_have_unit_size_and_the_null_caption_is_dropped_in(trained: Path, tmp_path: Path) -> None:
    part = family(tmp_path)["unet"]
    assert isinstance(part, Denoiser)
    part.count, part.recipe = 500, replace(part.recipe, batch=64)
    part.prepare(trained, quiet)
    latents = part.batch(0)["mean"] * part.scaling
    assert 0.7 < latents.std() < 1.4
    network = part.network(trained)
    seen: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[2]))
    part.losses(network, part.batch(0), Draws(0, 0, CPU))
    null = (seen[0] == part.null).all(dim=2).all(dim=1)
    assert 1 <= null.sum() <= 16


def test_min_snr_weights() -> None:
    abar = sd_schedule().alphas_cumprod
    weights, snr = min_snr_weights(abar), abar / (1 - abar)
    assert torch.equal(weights[snr < 5], torch.ones_like(weights[snr < 5]))
    assert torch.allclose(weights[snr > 5] * snr[snr > 5], torch.tensor(5.0))
