"""What is noted beside a training, for the command that goes on with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sluice.flows.training.card import ORIGIN, write_origin
from sluice.training.data import TrainingData
from sluice.training.recipe import Recipe

LENGTH = {"steps": 4, "batch": 1, "micro_batch": 1, "learning_rate": 1e-4}
RECIPE = Recipe.model_validate({"method": "controlnet", "control": "canny", **LENGTH})
DIGESTS = "birds 0123456789ab", "cats ba9876543210", "s3://team/merged 0123456789ab"


def noted(folder: Path) -> str | None:
    write_origin(folder, RECIPE, 4, {}, [TrainingData("", (), digest) for digest in DIGESTS])
    command: str | None = json.loads((folder / ORIGIN).read_text())["command"]
    return command


@pytest.mark.parametrize("watched", [[], ["--log", "train", "--debug"], ["--log=-", "--metrics", "9464"]])
def test_the_command_that_goes_on_names_the_versions_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: list[str]
) -> None:
    given = "train controlnet --data out/datasets/birds --data=s3://a/datasets/cats/latest --data s3://team/merged"
    monkeypatch.setattr(sys, "argv", ["sluice", *watched, *given.split()])
    assert noted(tmp_path) == (
        "sluice train controlnet --data out/datasets/birds/0123456789ab --data=s3://a/datasets/cats/ba9876543210 "
        "--data s3://team/merged"
    )


def test_what_else_trains_notes_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sluice", "--log", "train", "evaluate", "--suite", "papers"])
    assert noted(tmp_path) is None
