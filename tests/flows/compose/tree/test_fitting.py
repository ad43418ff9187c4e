"""That what does not fit is refused by its place, before anything loads, and that the command line says the line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from diffusers import ControlNetModel

from sluice.flows.compose.tree.fitting import Fitting
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.job_file import in_lines_of, read_job
from sluice.flows.compose.tree.misfit import Misfit
from sluice.infra.settings import ConfigError
from sluice.training.networks.latent_model import LatentModel

NETWORK = "picture.of.model.controls.0.network"
IMAGE = "picture.of.model.controls.0.image"


@pytest.fixture(scope="module")
def folder(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images that do, images that do not, and a ControlNet of another U-Net."""
    own = tmp_path_factory.mktemp("conditions")
    shutil.copy(given / "0.png", own / "0.png")
    cv2.imwrite(str(own / "small.png"), np.zeros((32, 64, 3), np.uint8))
    cv2.imwrite(str(own / "empty.png"), np.zeros((64, 64, 3), np.uint8))
    (own / "text.png").write_text("no picture")
    (own / "empty").mkdir()
    (own / "cut.png").write_bytes((own / "0.png").read_bytes()[:-400])
    config = ControlNetModel.load_config(given / "network")
    config["block_out_channels"] = [2 * channels for channels in config["block_out_channels"]]
    ControlNetModel.from_config(config).save_pretrained(own / "wider")
    return own


def guided(model: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "guided", "model": model}}


def united(*models: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "unite", "models": [{"model": own} for own in models]}}


def misfits(folder: Path, picture: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(Misfit) as refused:
        Fitting(folder)(Job.model_validate({"prompts": ["a"], "picture": picture, **more}))
    return {".".join(map(str, place)): said for place, said in refused.value.problems}


@pytest.mark.parametrize(
    ("told", "at", "said"),
    [
        ({"image": "nowhere.png"}, IMAGE, "nowhere.png, a condition of the job, is not there"),
        ({"image": "text.png"}, IMAGE, "text.png, a condition of the job, is no image that can be read"),
        ({"image": "small.png"}, IMAGE, "small.png is 64 x 32 pixels, and the job's pictures are 64 x 64"),
        ({"speaks": "empty.png"}, "picture.of.model.controls.0.speaks", "empty.png is a mask with nothing in it"),
        ({"network": "tabletop/nothing"}, NETWORK, "there is no 'tabletop/nothing'; did you mean "),
        (
            {"image": "cut.png"},
            IMAGE,
            "cut.png, a condition of the job, is no image that can be read (a damaged or cut",
        ),
        ({"network": "tabletop/judges"}, NETWORK, "tabletop/judges is no ControlNetModel, which a control is"),
        ({"network": "empty"}, NETWORK, "config.json, which says what a network is: give a folder as"),
        ({"network": "wider"}, NETWORK, "was made for a U-Net whose block_out_channels is"),
    ],
)
def test_a_control_that_does_not_fit_is_refused(
    told: dict[str, Any], at: str, said: str, base: dict[str, Any], given: Path, folder: Path
) -> None:
    if told.get("network") in ("wider", "empty"):
        told = {"network": str(folder / told["network"])}
    control = {"network": str(given / "network"), "image": "0.png", **told}
    found = misfits(folder, guided({"kind": "minimal_impact", "over": base, "controls": [control]}))
    assert [*found] == [at]
    assert said in found[at]


def test_a_size_is_of_whole_latents(base: dict[str, Any], folder: Path) -> None:
    assert misfits(folder, guided(base), size=66) == {"size": "66 is no multiple of 4, the pixels for one latent"}


def test_a_schedule_takes_as_many_steps_as_it_has(base: dict[str, Any], folder: Path) -> None:
    found = misfits(folder, guided(base), steps=1000)
    assert found["steps"].endswith(", 1000 timesteps long, does not go in 1000 steps: take fewer")


def test_an_unknown_model_is_named_where_it_stands(base: dict[str, Any], folder: Path) -> None:
    found = misfits(folder, united(base, {**base, "model": "tabletopp"}))
    assert [*found] == ["picture.of.models.1.model.model"]
    assert "tabletopp" in found["picture.of.models.1.model.model"]


@pytest.mark.parametrize(
    ("told", "at", "said"),
    [
        ({"label": "mugg"}, "label", "'mugg' is no shape of tabletop; did you mean 'mug'"),
        ({"label": 99}, "label", "and not 99"),
        ({"label": 0, "null": 99}, "null", "and not 99"),
    ],
)
def test_a_class_is_one_that_there_is(
    told: dict[str, Any], at: str, said: str, base: dict[str, Any], untrained: Path, folder: Path
) -> None:
    found = misfits(folder, guided({"kind": "class", "over": base, "network": str(untrained / "unet_class"), **told}))
    assert [*found] == [f"picture.of.model.{at}"]
    assert said in found[f"picture.of.model.{at}"]


def test_what_takes_no_such_condition_is_refused(base: dict[str, Any], untrained: Path, folder: Path) -> None:
    unet = str(untrained / "unet_face")
    assert "has no num_class_embeds" in "".join(
        misfits(folder, guided({"kind": "class", "over": base, "network": unet, "label": 0})).values()
    )
    things = [{"phrase": "a cube", "box": [0, 0, 1, 1]}]
    assert "is no U-Net that is told boxes" in "".join(
        misfits(folder, guided({"kind": "boxes", "over": base, "network": unet, "things": things})).values()
    )


def test_fusers_have_what_they_are_shown(base: dict[str, Any], fusers: Path, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(fusers / "local", tmp_path / "fusers" / "local")
    node = {"kind": "compose_and_conquer", "over": base, "fusers": str(tmp_path / "fusers")}
    shown = {"mask": {"drawn": {"scene": 7, "law": "two", "field": "mask"}}, "exemplars": ["0.png", "small.png"]}
    found = misfits(folder, guided({**node, **shown}))
    assert found == {"picture.of.model.fusers": f"{tmp_path / 'fusers'} has no global/, the fuser of exemplars"}
    config = tmp_path / "fusers" / "local" / "config.json"
    told = json.loads(config.read_text())
    told["controlnet"]["cross_attention_dim"] = 7
    config.write_text(json.dumps(told))
    found = misfits(folder, guided({**node, "mask": shown["mask"], "depths": ["0.png", "0.png"]}))
    assert "fusers/local was made for a U-Net whose cross_attention_dim is 7" in found["picture.of.model.fusers"]


def test_latents_and_pixels_do_not_unite(base: dict[str, Any], untrained: Path, folder: Path) -> None:
    found = misfits(folder, united(base, {"kind": "pixels", "model": str(untrained / "unet_face")}))
    assert [*found] == ["picture.of.models.1.model"]
    assert "unet_face is of pixels, 3 channels of them, and base " in found["picture.of.models.1.model"]


def test_models_that_walk_together_have_one_schedule(base: dict[str, Any], untrained: Path, folder: Path) -> None:
    other = {"kind": "class", "over": base, "network": str(untrained / "unet_class"), "label": 3}
    found = misfits(folder, {"kind": "amdm", "of": [guided(base), guided(other)]})
    assert [*found] == ["picture.of.1"]
    assert "has another noise schedule than base" in found["picture.of.1"]


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ({"clip_sample": True}, "scheduler asks for clip_sample, which the steps here do not do"),
        ({"prediction_type": "noise"}, "predicts `noise`; known are epsilon, v_prediction, sample"),
    ],
)
def test_a_scheduler_that_asks_for_other_steps_is_refused(
    scheduler: dict[str, Any], said: str, base: dict[str, Any], untrained: Path, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(untrained, copy)
    file = copy / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **scheduler}))
    assert said in misfits(folder, guided({**base, "model": str(copy)}))["picture.of.model"]
    (copy / "vae" / "config.json").write_text("{")
    assert "vae/config.json, which says what a network is, cannot be read" in "".join(
        misfits(folder, guided({**base, "model": str(copy)})).values()
    )


def test_the_lines_of_a_file_are_said(base: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    text = yaml.safe_dump({"prompts": ["a"], "size": 66, "picture": guided(base)}, sort_keys=False)
    file.write_text(text)
    line = 1 + text.splitlines().index("size: 66")
    with pytest.raises(ConfigError, match=rf"job\.yaml:{line}: size: 66 is no multiple of 4"), in_lines_of(file):
        Fitting(tmp_path)(read_job(file))


def test_a_pipeline_in_memory_is_asked_itself(base: dict[str, Any], untrained: Path, folder: Path) -> None:
    job = Job.model_validate({"prompts": ["a"], "size": 66, "picture": guided({**base, "model": "mine"})})
    with pytest.raises(Misfit, match="size: 66 is no multiple of 4"):
        Fitting(folder, {"mine": LatentModel.load(untrained)})(job)
