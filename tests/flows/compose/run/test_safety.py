"""That pictures are judged unless it is turned off, that this is recorded, and that unsafe ones are not kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from rich.console import Console
from transformers import CLIPImageProcessor, ViTConfig, ViTForImageClassification, ViTImageProcessor

from sluice.flows.compose.run.flow import again, compose
from sluice.flows.compose.run.safety import Unscreened, screen_of
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.misfit import Misfit
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import MissingWeights, find
from tests.checkers import TOWER, checker

QUIET = Console(quiet=True)


@pytest.fixture
def photographic(untrained: Path, tmp_path: Path) -> Path:
    """The same model, whose tokenizer knows a word that tabletop has not."""
    shutil.copytree(untrained, tmp_path / "model", ignore=shutil.ignore_patterns("unet_*", "judges", "latents"))
    file = tmp_path / "model/tokenizer/tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["model"]["vocab"]["astronaut</w>"] = len(tokenizer["model"]["vocab"])
    file.write_text(json.dumps(tokenizer))
    return tmp_path / "model"


def job(plain: dict[str, Any], **more: Any) -> Job:
    return Job.model_validate({**plain, "steps": 1, "batch": 1, **more})


def of(model: Path) -> dict[str, Any]:
    return {"kind": "ddim", "of": {"kind": "guided", "model": {"kind": "base", "model": str(model)}}}


def test_nothing_judges_tabletops_pictures_and_this_is_recorded(plain: dict[str, Any], tmp_path: Path) -> None:
    (name,) = compose(job(plain), tmp_path, tmp_path / "out", QUIET).made
    record = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    assert record["safety"] == {"by": "none", "unsafe": None}
    assert record["job"]["safety"] == "none"


def test_pictures_of_any_other_model_are_not_made_unjudged(
    plain: dict[str, Any], photographic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "no-models"))
    asked = job(plain, picture=of(photographic))
    with pytest.raises(Unscreened, match=r"sluice models pull open-nsfw.* Or say `--safety none`"):
        compose(asked, tmp_path, tmp_path / "out", QUIET)
    assert not (tmp_path / "out").exists()
    (name,) = compose(job(plain, picture=of(photographic), safety="none"), tmp_path, tmp_path / "out", QUIET).made
    assert json.loads((tmp_path / "out" / f"{name}.json").read_text())["safety"]["by"] == "none"


def test_an_unsafe_picture_is_quarantined_with_its_verdict_and_not_tried_again(
    plain: dict[str, Any], tmp_path: Path
) -> None:
    asked = job(plain, safety=str(checker(tmp_path, -1)))
    composed = compose(asked, tmp_path, tmp_path / "out", QUIET)
    assert composed.made == []
    (name,) = composed.quarantined
    assert [path.name for path in (tmp_path / "out").glob("*")] == ["quarantine"]
    file = tmp_path / "out/quarantine" / f"{name}.json"
    record, written = json.loads(file.read_text()), file.stat().st_mtime_ns
    assert record["safety"] == {"by": asked.safety, "unsafe": 1.0}
    assert "finds it unsafe" in record["reason"]
    assert record["made_of"][asked.safety]
    assert compose(asked, tmp_path, tmp_path / "out", QUIET).quarantined == [name]
    assert file.stat().st_mtime_ns == written


def test_a_safe_picture_is_kept_with_its_verdict_and_made_again(plain: dict[str, Any], tmp_path: Path) -> None:
    asked = job(plain, safety=str(checker(tmp_path, 1)))
    (name,) = compose(asked, tmp_path, tmp_path / "out", QUIET).made
    made = tmp_path / "out" / f"{name}.png"
    assert json.loads(made.with_suffix(".json").read_text())["safety"] == {"by": asked.safety, "unsafe": 0.0}
    assert Path(again(made, tmp_path / "again", QUIET)).read_bytes() == made.read_bytes()


def test_diffusers_checker_says_what_it_says_itself(tmp_path: Path) -> None:
    folder = checker(tmp_path, 0.83)
    screen = screen_of(str(folder))
    assert screen is not None
    network = StableDiffusionSafetyChecker.from_pretrained(folder)
    processor = CLIPImageProcessor.from_pretrained(tmp_path / "feature_extractor")
    pictures = np.random.default_rng(0).integers(0, 256, (24, 20, 20, 3), dtype=np.uint8)
    pictures[:12] //= 8
    _, wanted = network(processor(list(pictures), return_tensors="pt").pixel_values, list(pictures.copy()))
    assert [screen(picture) for picture in pictures] == [float(own) for own in wanted]
    assert len(set(wanted)) == 2


def test_a_classifier_of_transformers_judges_by_its_label(tmp_path: Path) -> None:
    for labels in (["normal", "nsfw"], ["cat", "dog"]):
        config = ViTConfig(image_size=16, patch_size=8, id2label=dict(enumerate(labels)), **TOWER)
        ViTForImageClassification(config).save_pretrained(tmp_path / labels[0])
        ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path / labels[0])
    screen = screen_of(str(tmp_path / "normal"))
    assert screen is not None
    assert 0 < screen(np.zeros((20, 20, 3), np.uint8)) < 1
    with pytest.raises(ConfigError, match="has no label 'nsfw'"):
        screen_of(str(tmp_path / "cat"))


def test_what_is_no_classifier_is_named_by_its_setting(untrained: Path) -> None:
    with pytest.raises(ConfigError, match=r"safety: .*judges is no classifier that can be loaded"):
        screen_of(str(untrained / "judges"))


def test_what_judges_must_be_there(plain: dict[str, Any], tmp_path: Path) -> None:
    said = r"safety: 'open-nfsw' is neither .* Did you mean 'open-nsfw'\?.* Or `none`: nothing judges the pictures then"
    with pytest.raises(Misfit, match=said):
        compose(job(plain, safety="open-nfsw"), tmp_path, tmp_path / "out", QUIET)


@pytest.mark.weights
def test_open_nsfw_judges(plain: dict[str, Any], photographic: Path, tmp_path: Path) -> None:
    try:
        find("open-nsfw")
    except MissingWeights as error:
        pytest.skip(str(error))
    (name,) = compose(job(plain, picture=of(photographic)), tmp_path, tmp_path / "out", QUIET).made
    verdict = json.loads((tmp_path / "out" / f"{name}.json").read_text())["safety"]
    assert verdict["by"] == "open-nsfw"
    assert 0 <= verdict["unsafe"] < 0.8
