from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.perception.diffusion_inpaint import noise_source
from sluice.preprocess.perception.inpaint import hole
from sluice.preprocess.record import Array, Record
from sluice.preprocess.stages.background import Background, BackgroundParameters

Scene = Callable[..., Record]


def opened(folder: Path, **parameters: Any) -> Background:
    usual: dict[str, Any] = {"batch_size": 4, "steps": 3, "dilation": 40, "prompt": "empty scenery"}
    stage = Background(BackgroundParameters(model=str(folder), **(usual | parameters)))
    stage.open(folder)
    return stage


def run(stage: Background, records: list[Record]) -> list[Array]:
    stage(records)
    return [record["bg.jpg"] for record in records]


def test_a_batch_has_one_mask_each_and_equals_one_by_one(tiny_inpaint: Path, scene: Scene) -> None:
    stage = opened(tiny_inpaint)
    together = run(stage, [scene(i) for i in range(3)])
    alone = [run(stage, [scene(i)])[0] for i in range(3)]
    backwards = run(stage, [scene(i) for i in (2, 1, 0)])[::-1]
    for i in range(3):
        np.testing.assert_array_equal(together[i], alone[i])
        np.testing.assert_array_equal(together[i], backwards[i])
        inside = hole(scene(i)["mask.png"], 40)
        np.testing.assert_array_equal(together[i][~inside], scene(i)["jpg"][~inside])
        assert (together[i][inside] != scene(i)["jpg"][inside]).mean() > 0.9


def test_it_paints_what_diffusers_paints(tiny_inpaint: Path, scene: Scene) -> None:
    from diffusers import StableDiffusionInpaintPipeline
    from PIL import Image

    record = scene(1)
    inside = hole(record["mask.png"], 40)
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(tiny_inpaint, safety_checker=None)
    expected = pipeline(
        prompt="empty scenery",
        negative_prompt="low quality",
        image=Image.fromarray(record["jpg"]),
        mask_image=Image.fromarray(inside.astype(np.uint8) * 255),
        height=64,
        width=64,
        num_inference_steps=3,
        guidance_scale=10,
        generator=noise_source(0, record.key),
    ).images[0]
    (painted,) = run(opened(tiny_inpaint, batch_size=1, negative_prompt="low quality"), [record])
    difference = np.abs(painted.astype(int) - np.asarray(expected))[inside]
    assert difference.max() <= 1


def test_noise_belongs_to_seed_and_key(tiny_inpaint: Path, scene: Scene) -> None:
    twins = [Record(key, values=dict(scene(1).values)) for key in ("a" * 16, "b" * 16)]
    first, second = run(opened(tiny_inpaint), twins)
    (reseeded,) = run(opened(tiny_inpaint, seed=1), [Record("a" * 16, values=dict(scene(1).values))])
    assert (first != second).any()
    assert (first != reseeded).any()


def test_with_no_noise_only_the_autoencoder_draws(tiny_inpaint: Path, scene: Scene, tmp_path: Path) -> None:
    certain = Path(shutil.copytree(tiny_inpaint, tmp_path / "certain"))
    (weights,) = (certain / "vae").glob("*.safetensors")
    state = load_file(weights)
    half = len(state["quant_conv.bias"]) // 2
    state["quant_conv.weight"][half:], state["quant_conv.bias"][half:] = 0, -30
    save_file(state, weights, {"format": "pt"})
    twins = [Record(key, values=dict(scene(1).values)) for key in ("a" * 16, "b" * 16)]
    first, second = run(opened(certain, noise=0), twins)
    assert np.abs(first.astype(int) - second).max() <= 1
    first, second = run(opened(certain), twins)
    assert np.abs(first.astype(int) - second).max() > 1


def test_nearly_all_of_the_noise_paints_nearly_what_all_of_it_does(tiny_inpaint: Path, scene: Scene) -> None:
    (whole,), (nearly,) = (run(opened(tiny_inpaint, noise=noise), [scene(1)]) for noise in (1, 0.9999))
    assert np.abs(whole.astype(int) - nearly).max() <= 1


def test_less_noise_takes_the_whole_strength() -> None:
    with pytest.raises(ValidationError, match="less `noise` is of pictures that begin with nothing else"):
        BackgroundParameters(noise=0.5, strength=0.7)


def test_sizes_the_network_cannot_take_are_padded(tiny_inpaint: Path, scene: Scene) -> None:
    record = scene(1, 50, 75)
    (painted,) = run(opened(tiny_inpaint), [record])
    inside = hole(record["mask.png"], 40)
    assert painted.shape == (50, 75, 3)
    np.testing.assert_array_equal(painted[~inside], record["jpg"][~inside])


@pytest.mark.parametrize("parameters", [{"guidance": 1.0}, {"strength": 0.7}, {"precision": "bf16"}])
def test_other_settings_run(tiny_inpaint: Path, scene: Scene, parameters: dict[str, Any]) -> None:
    usual = run(opened(tiny_inpaint), [scene(1)])[0]
    assert (run(opened(tiny_inpaint, **parameters), [scene(1)])[0] != usual).any()


def test_an_empty_mask_gives_the_image_itself(tiny_inpaint: Path, scene: Scene) -> None:
    record = scene(1)
    record["mask.png"] = np.zeros((64, 64), np.uint8)
    np.testing.assert_array_equal(run(opened(tiny_inpaint), [record])[0], record["jpg"])


def test_a_network_that_is_not_for_inpainting_is_refused(tiny_inpaint: Path, tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel

    folder = tmp_path / "sd"
    shutil.copytree(tiny_inpaint, folder)
    config = dict(UNet2DConditionModel.load_config(tiny_inpaint / "unet")) | {"in_channels": 4}
    UNet2DConditionModel.from_config(config).save_pretrained(folder / "unet")
    with pytest.raises(ModelFolderError, match="takes 4 channels"):
        opened(folder)


def test_a_pipeline_that_was_saved_in_part_is_refused(tiny_inpaint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sd"
    shutil.copytree(tiny_inpaint, folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    kept = {name: weight for name, weight in load_file(file).items() if not name.startswith("conv_out")}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(ModelFolderError, match="conv_out"):
        opened(folder)


def test_a_wrong_folder_is_a_readable_error(tiny_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"UNet2DConditionModel is to be loaded from .*unet, which is not a"):
        opened(tiny_clip)
    with pytest.raises(ModelFolderError, match="which is not a folder"):
        opened(tmp_path / "nothing")


@pytest.mark.parametrize("method", ["telea", "navier-stokes"])
def test_classical_inpainting_is_marked_unfit(scene: Scene, method: str) -> None:
    stage = Background(BackgroundParameters(model=method))
    assert stage.weights is None
    assert stage.marks() == ("unfit for training",)
    stage.open(None)
    record = scene(1)
    (painted,) = run(stage, [record])
    inside = hole(record["mask.png"])
    np.testing.assert_array_equal(painted[~inside], record["jpg"][~inside])


def test_only_diffusion_is_fit_for_training() -> None:
    marks = {m: Background(BackgroundParameters(model=m)).marks() for m in ("sd15-inpaint", "mi-gan", "my/gan.onnx")}
    assert marks == {"sd15-inpaint": (), "mi-gan": ("unfit for training",), "my/gan.onnx": ("unfit for training",)}


def test_a_hole_as_large_as_the_image_is_filtered_out(scene: Scene) -> None:
    stage = Background(BackgroundParameters(model="telea"))
    stage.open(None)
    covered, other = scene(1), scene(2)
    covered["mask.png"] = np.full((64, 64), 255, np.uint8)
    stage([covered, other])
    assert covered.rejection is not None
    assert covered.rejection.kind == "filtered"
    assert other.rejection is None
    assert "bg.jpg" in other
