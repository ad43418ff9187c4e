"""That every part trains, and that plain diffusers and transformers read what it saves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    StableDiffusionGLIGENPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)
from PIL import Image
from transformers import (
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.tabletop.classes import CLASSES
from sluice.training.tabletop import latents
from sluice.training.tabletop.class_denoiser import NULL_CLASS
from sluice.training.tabletop.denoiser import Denoiser
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.family import family
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.loop import Training
from sluice.training.tabletop.scenes import Scenes
from sluice.training.tabletop.text_encoder import tokens_of

CHUNK = 32
CPU = torch.device("cpu")


def quiet(*_: object) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two steps of every part."""
    patch = pytest.MonkeyPatch()
    patch.setattr(latents, "CHUNK", CHUNK)
    folder = tmp_path_factory.mktemp("family")
    for part in family(folder).values():
        part.recipe = replace(part.recipe, steps=2, batch=4)
        if isinstance(part, LatentPart):
            part.count = CHUNK
        part.prepare(folder / "models", CPU, quiet)
        network = Training(part, folder / "models", folder / part.name, 0, CPU).run(quiet)
        part.save(network, folder / "models")
    yield folder / "models"
    patch.undo()


def test_a_part_that_is_shortened_sees_no_more_scenes_than_it_can(tmp_path: Path) -> None:
    part = family(tmp_path)["ip_adapter"]
    part.shorten(3)
    assert isinstance(part, LatentPart)
    assert (part.recipe.steps, part.recipe.warm_up, part.count) == (3, 3, 3 * part.recipe.batch)


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
    picture, latent = torch.rand(2, 3, 64, 64) * 2 - 1, torch.randn(2, 4, 16, 16)
    image = CLIPVisionModelWithProjection.from_pretrained(trained / "image_encoder").float()
    assert image(picture).image_embeds.shape == (2, 128)
    identity = CLIPVisionModelWithProjection.from_pretrained(trained / "identity").float()
    assert identity(picture).image_embeds.shape == (2, 64)
    for judges in (
        Judges.load(trained / "judges")(picture),
        Judges.load(trained / "latent_judges", scale=4)(latent),
    ):
        assert judges.classes().shape == (2, len(CLASSES), 64, 64)
        assert judges.depth().shape == (2, 1, 64, 64)
        assert judges.points("pose").shape == (2, 18, 3)
        assert judges.points("landmarks").shape == (2, 5, 3)
    assert Judges.load(trained / "judges").features(picture).shape == (2, 112)


def test_the_class_and_face_models_are_plain_diffusers(trained: Path) -> None:
    classes = UNet2DModel.from_pretrained(trained / "unet_class", dtype=torch.float32)
    assert classes(torch.randn(1, 4, 16, 16), 3, torch.tensor([NULL_CLASS])).sample.shape == (1, 8, 16, 16)
    schedule = DDPMScheduler.from_pretrained(trained / "unet_class")
    assert (schedule.config.beta_schedule, schedule.config.variance_type) == ("squaredcos_cap_v2", "learned_range")
    made = DDPMPipeline(
        UNet2DModel.from_pretrained(trained / "unet_face", dtype=torch.float32),
        DDIMScheduler.from_pretrained(trained / "unet_face"),
    )
    made.set_progress_bar_config(disable=True)
    assert made(num_inference_steps=2, output_type="np").images.shape == (1, 64, 64, 3)


def test_the_unets_with_a_strength_each_run_in_the_pipelines_of_diffusers(trained: Path) -> None:
    parts = {
        "vae": AutoencoderKL.from_pretrained(trained / "vae", dtype=torch.float32),
        "text_encoder": CLIPTextModel.from_pretrained(trained / "text_encoder").float(),
        "tokenizer": CLIPTokenizer.from_pretrained(trained / "tokenizer"),
        "scheduler": DDIMScheduler.from_pretrained(trained / "scheduler"),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }

    def unet(name: str) -> UNet2DConditionModel:
        return UNet2DConditionModel.from_pretrained(trained / name, dtype=torch.float32)

    options = {"prompt": "a red star", "num_inference_steps": 2, "output_type": "np"}
    grey = torch.zeros(1, 3, 64, 64)
    inpainting = StableDiffusionInpaintPipeline(unet=unet("inpaint_unet"), **parts)
    assert inpainting(image=grey, mask_image=grey[:, :1] + 1, **options).images.shape == (1, 64, 64, 3)
    boxes = StableDiffusionGLIGENPipeline(unet=unet("unet_boxes"), **parts)
    where = {"gligen_phrases": ["a star"], "gligen_boxes": [[0.1, 0.1, 0.6, 0.6]]}
    assert boxes(**options, **where).images.shape == (1, 64, 64, 3)
    seen = StableDiffusionPipeline.from_pretrained(trained, dtype=torch.float32)
    seen.set_progress_bar_config(disable=True)
    assert seen(**options).images.shape == (1, 64, 64, 3)
    seen.load_ip_adapter(
        str(trained), subfolder="ip_adapter", weight_name="ip_adapter.safetensors", image_encoder_folder=None
    )
    assert list(seen.feature_extractor.image_mean) == [0.5] * 3
    picture = Image.fromarray(Scenes().render(0).image)
    assert seen(ip_adapter_image=picture, **options).images.shape == (1, 64, 64, 3)


def test_an_inpainting_unet_begins_as_the_unet(trained: Path, tmp_path: Path) -> None:
    network = family(tmp_path)["inpaint_unet"].network(trained)
    unet = UNet2DConditionModel.from_pretrained(trained / "unet", dtype=torch.float32)
    x, states = torch.randn(2, 4, 16, 16), torch.randn(2, 77, 128)
    inputs = torch.cat([x, torch.randn(2, 5, 16, 16)], dim=1)
    torch.testing.assert_close(network(inputs, 7, states).sample, unet(x, 7, states).sample, rtol=0, atol=1e-5)


def test_an_adapter_trains_alone(trained: Path, tmp_path: Path) -> None:
    network = family(tmp_path)["ip_adapter"].network(trained)
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert names
    assert all("_ip" in name or name.startswith("encoder_hid_proj") for name in names)


def test_weights_are_half_precision_and_small(trained: Path) -> None:
    sizes = {file.parent.name: file.stat().st_size for file in trained.rglob("*.safetensors")}
    assert sizes["unet"] < 6e6
    assert sum(sizes.values()) < 26e6


def test_latents_have_unit_size_and_the_null_caption_is_dropped_in(trained: Path, tmp_path: Path) -> None:
    part = family(tmp_path)["unet"]
    assert isinstance(part, Denoiser)
    part.count, part.recipe = CHUNK, replace(part.recipe, batch=64)
    part.prepare(trained, CPU, quiet)
    assert 0.7 < part.batch(0)["mean"].std() < 1.4
    network = part.network(trained)
    seen: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[2]))
    part.losses(network, part.batch(0), Draws(0, 0, CPU))
    null = (seen[0] == part.null).all(dim=2).all(dim=1)
    assert 1 <= null.sum() <= 16
