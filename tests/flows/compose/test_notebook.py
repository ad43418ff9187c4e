"""That a notebook's pictures are the job's, with their records, of pipelines that are there already too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from diffusers import StableDiffusionPipeline
from PIL import Image
from rich.console import Console

import sluice
from sluice.flows.compose.notebook import GIVEN, PictureWithheld
from sluice.flows.compose.run.flow import compose as to_files
from sluice.flows.compose.tree.job import Job
from sluice.infra.settings import ConfigError
from tests.checkers import checker


@pytest.fixture(scope="module")
def pipeline(untrained: Path) -> Any:
    return StableDiffusionPipeline.from_pretrained(untrained, dtype=torch.float32)


def levels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, np.int16)


def test_a_job_is_pictures_with_records(plain: dict[str, Any], tmp_path: Path) -> None:
    pictures = sluice.compose(plain, prompts=["a red star", "a blue cube"], seeds=[0, 7])
    assert [(own.info["job"]["prompts"], own.info["job"]["seeds"]) for own in pictures] == [
        (["a red star"], [0]),
        (["a red star"], [7]),
        (["a blue cube"], [0]),
        (["a blue cube"], [7]),
    ]
    assert [own.size for own in pictures] == [(64, 64)] * 4
    asked = Job.model_validate({**plain, "prompts": ["a blue cube"], "seeds": [7]})
    (name,) = to_files(asked, tmp_path, tmp_path / "out", Console(quiet=True)).made
    assert json.loads((tmp_path / "out" / f"{name}.json").read_text())["made_of"] == pictures[3].info["made_of"]
    with Image.open(tmp_path / "out" / f"{name}.png") as written:
        assert np.abs(levels(written) - levels(pictures[3])).max() <= 1


def test_a_file_is_a_job_too_and_one_prompt_and_seed_are_enough(controlled: dict[str, Any], given: Path) -> None:
    (given / "job.json").write_text(json.dumps(controlled))  # YAML too
    (picture,) = sluice.compose(given / "job.json", prompts="a blue cube: it's big", seeds=3)
    assert picture.info["job"]["prompts"] == ["a blue cube: it's big"]
    (same,) = sluice.compose(controlled, prompts=["a blue cube: it's big"], seeds=[3], folder=given)
    assert np.array_equal(levels(picture), levels(same))


def test_a_file_is_told_its_lines(plain: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({**plain, "size": 66}, sort_keys=False))
    with pytest.raises(ConfigError, match=r"job\.yaml:\d+: size: 66 is no multiple of 4"):
        sluice.compose(tmp_path / "job.yaml")


@pytest.mark.parametrize("prompt", ['it\'s a "red" star', "a\\nb", "yes", "# 3: [a, b]", "ein roter Stern, größer"])
def test_a_prompt_is_what_it_is_beside_a_file(prompt: str, plain: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(plain))
    (picture,) = sluice.compose(tmp_path / "job.json", prompts=prompt)
    assert picture.info["job"]["prompts"] == [prompt]


def test_seeds_of_numpy_are_seeds(plain: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps({**plain, "count": 2}))
    for job in (tmp_path / "job.json", plain):
        assert [own.info["job"]["seeds"] for own in sluice.compose(job, seeds=np.arange(2))] == [[0], [1]]
        assert [own.info["job"]["seeds"] for own in sluice.compose(job, seeds=np.int64(5))] == [[5]]


def test_a_pipeline_stands_for_the_jobs_model_and_is_left_as_it_was(
    controlled: dict[str, Any], given: Path, pipeline: Any
) -> None:
    before = dict(pipeline.unet.attn_processors)
    scheduler = pipeline.scheduler
    (picture,) = sluice.compose(controlled, folder=given, model=pipeline)
    (loaded,) = sluice.compose(controlled, folder=given)
    assert np.abs(levels(picture) - levels(loaded)).max() <= 1
    assert picture.info["made_of"][GIVEN].startswith("StableDiffusionPipeline of ")
    assert pipeline.unet.attn_processors == before
    assert pipeline.scheduler is scheduler
    assert picture.info["safety"] == {"by": "none", "unsafe": None}


def test_nothing_is_loaded_for_a_pipeline(plain: dict[str, Any], pipeline: Any) -> None:
    """The job's own model is nowhere."""
    picture = {"kind": "ddim", "of": {"kind": "guided", "model": {"kind": "base", "model": "nowhere"}}}
    assert len(sluice.compose({**plain, "picture": picture}, model=pipeline)) == 1


def test_a_pipeline_that_jobs_cannot_sample_is_refused(plain: dict[str, Any], pipeline: Any) -> None:
    half = StableDiffusionPipeline(
        **{**pipeline.components, "unet": type(pipeline.unet).from_config(pipeline.unet.config).half()}
    )
    with pytest.raises(ConfigError, match=r"its unet is torch\.float16"):
        sluice.compose(plain, model=half)
    with pytest.raises(
        ConfigError, match="a UNet2DConditionModel has no tokenizer, text_encoder, unet, vae, scheduler"
    ):
        sluice.compose(plain, model=pipeline.unet)
    models = [{"model": {"kind": "base", "model": name}} for name in ("a", "b")]
    picture = {"kind": "ddim", "of": {"kind": "unite", "models": models}}
    with pytest.raises(ConfigError, match="a pipeline stands for one model, and the job names a, b"):
        sluice.compose({**plain, "picture": picture}, model=pipeline)


def test_an_unsafe_picture_is_withheld_and_said(plain: dict[str, Any], tmp_path: Path) -> None:
    with pytest.warns(PictureWithheld, match="'a red star', seed 0, is withheld: .* finds it unsafe"):
        assert sluice.compose(plain, safety=str(checker(tmp_path, -1))) == []


def test_a_job_that_cannot_be_is_refused(plain: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"prompts\.0: input should be a valid string \(it is 3\)"):
        sluice.compose(plain, prompts=3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a job is a file, or a mapping of what would be in one, and not"):
        sluice.compose(["a"])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"the job: picture\.of: ddim is a step, and here goes one of"):
        sluice.compose({**plain, "picture": {"kind": "ddim", "of": {"kind": "ddim"}}})
    with pytest.raises(ConfigError, match=r"prompts: here goes a list, as in \[a, b\] \(it is 'a'\)"):
        sluice.compose({**plain, "prompts": "a"})
    with pytest.raises(ConfigError, match="the job: stps: there is no such setting; did you mean 'steps'"):
        sluice.compose({**plain, "stps": 1})


def test_sluice_loads_nothing_until_it_is_asked() -> None:
    heavy = "import sys, sluice; print([m for m in ('torch', 'diffusers', 'numpy', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "compose" in dir(sluice)
    with pytest.raises(AttributeError, match="no attribute 'compse'"):
        sluice.compse  # noqa: B018
