"""The demo where no index has the weights: what stands in for them, and what is left out in words."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from sluice.flows.demo import WEIGHTS, pull_what_there_is, run_demo, stages_to_leave_out, write_config


@pytest.fixture
def no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package index without packages, and an empty cache."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    (tmp_path / "simple").mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "cache"))


@pytest.mark.usefixtures("no_index")
def test_every_weight_that_cannot_be_had_is_said_once_with_what_can_be_done(tmp_path: Path) -> None:
    said = io.StringIO()
    pull_what_there_is(Console(file=said, soft_wrap=True))
    assert f"{len(WEIGHTS)} of {len(WEIGHTS)} weights could not be had:" in said.getvalue()
    assert [line.split(":")[0].strip() for line in said.getvalue().splitlines()[1:6]] == list(WEIGHTS)
    assert "`sluice models pull NAME --from FOLDER`, and the demo again" in said.getvalue()

    assert stages_to_leave_out() == ["safety", "pose"]
    path = write_config(tmp_path, stages_to_leave_out())
    assert path.name == "photos-without-safety-without-pose.yaml"
    assert set(yaml.safe_load(write_config(tmp_path).read_text())["stages"]) - set(
        yaml.safe_load(path.read_text())["stages"]
    ) == {"safety", "pose"}


@pytest.mark.slow
@pytest.mark.usefixtures("no_index")
def test_the_demo_comes_to_a_page_without_any_weights(tmp_path: Path) -> None:
    said = io.StringIO()
    run_demo(tmp_path / "demo", Console(file=said, soft_wrap=True))
    assert "Left out, for want of weights and of anything to run in their place: safety, pose." in said.getvalue()
    assert "superpixels instead" in said.getvalue()
    assert "photos-without-safety-without-pose.yaml" in said.getvalue()
    page = next(line for line in said.getvalue().splitlines() if line.startswith("The page of it all: "))
    assert Path(page.removeprefix("The page of it all: ")).is_file()
