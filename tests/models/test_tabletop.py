"""The family that ships: whole, small enough, read by plain diffusers and transformers, as good as its card says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection, SegformerForSemanticSegmentation

from sluice.flows.tabletop.card import card_lines
from sluice.flows.tabletop.figure import Figure
from sluice.flows.tabletop.making import GUIDANCE, STEPS, single
from sluice.flows.tabletop.measure import measure_family
from sluice.flows.tabletop.reading import read_all
from sluice.infra.digests import files_in, size_of
from sluice.infra.weights.catalogue import Shipped, catalogue
from sluice.infra.weights.models import find
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.words import plain_caption

SHARE = 0.9
PROMPTS = 40
ROWS = [name for name, info in catalogue().items() if isinstance(info.origin, Shipped)]


@pytest.fixture(scope="module")
def models() -> Path:
    return find("tabletop").path


@pytest.fixture(scope="module")
def stated(models: Path) -> dict[tuple[str, str], Figure]:
    figures = [Figure(**figure) for figure in json.loads((models / "figures.json").read_text())]
    return {(figure.part, figure.name): figure for figure in figures}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_holds_what_ships_to_its_digest_and_size(name: str) -> None:
    info, found = catalogue()[name], find(name)
    assert info.sha256 == found.digest
    assert isinstance(info.origin, Shipped)
    weights = [file for file in files_in(found.path, info.origin.files) if file.suffix == ".safetensors"]
    assert info.size == sum(file.stat().st_size for file in weights)


def test_a_row_for_every_network_there_is(models: Path) -> None:
    networks = {file.relative_to(models).parts[0] for file in models.rglob("*.safetensors")}
    assert {"tabletop", "tabletop-inpaint", *(f"tabletop/{name}" for name in networks)} == set(ROWS)


def test_it_is_small_enough_for_a_checkout(models: Path) -> None:
    assert size_of(models) <= 60_000_000


def test_the_card_says_what_was_measured(models: Path, stated: dict[tuple[str, str], Figure]) -> None:
    assert (models / "README.md").read_text() == "\n".join(card_lines(models, list(stated.values()))) + "\n"


@pytest.mark.slow
def test_a_quick_look_comes_to_nine_tenths_of_the_stated_figures(
    models: Path, stated: dict[tuple[str, str], Figure]
) -> None:
    seen = {(figure.part, figure.name): figure for figure in measure_family(models, share=0.2)}
    assert seen.keys() == stated.keys()
    for name, figure in seen.items():
        if figure.floor is not None:
            least = stated[name].value / SHARE if figure.lower else stated[name].value * SHARE
            assert (figure.value <= least) if figure.lower else (figure.value >= least), name


def test_plain_diffusers_and_transformers_read_it(models: Path) -> None:
    for kind, folder in (
        (AutoencoderKL, "vae"),
        (UNet2DConditionModel, "unet"),
        (CLIPTextModelWithProjection, "text_encoder"),
        (CLIPVisionModelWithProjection, "image_encoder"),
        (SegformerForSemanticSegmentation, "judges"),
    ):
        _, found = kind.from_pretrained(models / folder, output_loading_info=True)
        assert not any(found.values()), folder


def test_it_is_a_pipeline_of_diffusers_that_draws_what_it_is_asked_for(
    models: Path, stated: dict[tuple[str, str], Figure]
) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(models, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    things, unet = single(PROMPTS), pipeline.unet.config
    noise = torch.randn(
        (PROMPTS, unet.in_channels, unet.sample_size, unet.sample_size), generator=torch.Generator().manual_seed(0)
    )
    asked = [plain_caption(thing) for thing in things]
    made = pipeline(asked, latents=noise, guidance_scale=GUIDANCE, num_inference_steps=STEPS, output_type="pt").images
    readings = read_all(Judges.load(models / "judges"), made * 2 - 1)
    right = [
        (own.shape, own.colour) == (thing.shape, thing.colour) for own, thing in zip(readings, things, strict=True)
    ]
    assert np.mean(right) >= SHARE * stated["unet", "right shape and colour"].value
