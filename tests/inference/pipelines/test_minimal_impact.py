"""That the pipeline makes the job's pictures, and is a pipeline of diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from PIL import Image
from transformers import CLIPImageProcessorPil

import sluice
from sluice.flows.compose.bound.composer import Composer, _drawn
from sluice.flows.compose.tree.job import Job
from sluice.inference.pipelines.minimal_impact import MinimalImpactPipeline
from tests.checkers import checker
from tests.inference.pipelines.conftest import SIZE

PROMPTS = ["a red star", "a blue cube"]


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    networks = [ControlNetModel.from_pretrained(folder / name) for name in ("one", "other")]
    made = MinimalImpactPipeline.from_pretrained(folder, controlnet=networks)
    made.set_progress_bar_config(disable=True)
    return made


def images(folder: Path) -> list[Image.Image]:
    return [Image.open(folder / f"{name}.png") for name in ("a", "b")]


def start() -> torch.Tensor:
    return _drawn([0, 1], -1, (4, SIZE // 4, SIZE // 4))


def test_its_pictures_are_the_jobs(pipeline: Any, folder: Path) -> None:
    controls = [
        {"network": str(folder / "one"), "image": "a.png", "strength": 0.5},
        {"network": str(folder / "other"), "image": "b.png", "speaks": "left.png"},
    ]
    over = {"kind": "base", "model": str(folder)}
    model = {"kind": "minimal_impact", "over": over, "controls": controls, "rule": "unit_min_norm"}
    picture = {"kind": "ddim", "of": {"kind": "guided", "scale": 3, "model": model}}
    job = Job.model_validate({"prompts": PROMPTS, "size": SIZE, "steps": 3, "picture": picture})
    wanted = Composer(job, folder)(PROMPTS, [0, 1])
    made = pipeline(
        PROMPTS,
        images(folder),
        [0.5, 1.0],
        speaks=[None, Image.open(folder / "left.png")],
        rule="unit_min_norm",
        num_inference_steps=3,
        guidance_scale=3.0,
        latents=start(),
        output_type="pt",
    ).images
    torch.testing.assert_close(made, wanted / 2 + 0.5, rtol=0, atol=1e-5)


def test_one_controlnet_takes_one_image_and_without_strength_the_prompt_is_left(folder: Path) -> None:
    network = ControlNetModel.from_pretrained(folder / "one")
    single = MinimalImpactPipeline.from_pretrained(folder, controlnet=network)
    plain = StableDiffusionPipeline.from_pretrained(folder)
    how: dict[str, Any] = {"num_inference_steps": 2, "guidance_scale": 3.0, "latents": start(), "output_type": "np"}
    shown = images(folder)[0]
    weak, strong = (single(PROMPTS, shown, scale, **how).images for scale in (0.0, 1.0))
    wanted = plain(PROMPTS, **how).images
    assert np.abs(weak - wanted).max() < 1e-4
    assert np.abs(strong - wanted).max() > 1e-3


def test_it_is_saved_and_loaded(pipeline: Any, folder: Path, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    again = sluice.MinimalImpactPipeline.from_pretrained(tmp_path)
    how: dict[str, Any] = {"num_inference_steps": 1, "output_type": "latent", "return_dict": False}
    first, second = (
        own("a red star", images(folder), generator=torch.Generator().manual_seed(3), eta=1.0, **how)[0]
        for own in (pipeline, again)
    )
    assert torch.equal(first, second)


def test_pictures_come_as_they_are_asked_for(pipeline: Any, folder: Path) -> None:
    pictures = pipeline(
        PROMPTS, images(folder), num_inference_steps=1, num_images_per_prompt=2, negative_prompt="a mug"
    )
    assert [own.size for own in pictures.images] == [(SIZE, SIZE)] * 4
    assert pictures.nsfw_content_detected is None
    wide = pipeline("", images(folder), num_inference_steps=1, width=48, output_type="pt").images
    assert wide.shape == (1, 3, SIZE, 48)


def test_what_a_safety_checker_finds_unsafe_is_black(pipeline: Any, folder: Path, tmp_path: Path) -> None:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    for threshold, unsafe in ((-1, True), (1, False)):
        network = StableDiffusionSafetyChecker.from_pretrained(checker(tmp_path, threshold))
        processor = CLIPImageProcessorPil.from_pretrained(tmp_path / "feature_extractor")
        parts = {**pipeline.components, "safety_checker": network, "feature_extractor": processor}
        made = MinimalImpactPipeline(**parts)("", images(folder), num_inference_steps=1)
        assert made.nsfw_content_detected == [unsafe]
        assert (made.images[0].getextrema() == ((0, 0),) * 3) == unsafe


def test_numbers_that_do_not_fit_are_named(pipeline: Any, folder: Path) -> None:
    with pytest.raises(ValueError, match="2 ControlNets were given 1 images, 2 scales and 2 masks"):
        pipeline("", images(folder)[0])
    with pytest.raises(ValueError, match="2 prompts take one negative prompt or as many, not 3"):
        pipeline(PROMPTS, images(folder), negative_prompt=["a", "b", "c"])
    with pytest.raises(ValueError, match="height and width are multiples of 4"):
        pipeline("", images(folder), height=30)
    three = torch.rand(3, 3, SIZE, SIZE)
    with pytest.raises(ValueError, match="3 images for 2 pictures"):
        pipeline(PROMPTS, [three, three])
