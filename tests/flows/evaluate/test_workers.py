"""Pictures of an evaluation by several actors."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.compose.run.runs import Here, Workers
from sluice.flows.evaluate.methods import Networks
from sluice.flows.evaluate.settings import Settings
from sluice.flows.evaluate.suite import Place, evaluate
from tests.flows.runs import SLUICE


@pytest.mark.usefixtures("ray4")
def test_actors_make_the_same_pictures_and_figures(
    untrained: Path, networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"

    def measured(workers: Workers | None) -> tuple[dict[str, bytes], str]:
        at = Place(str(untrained), networks, place, tmp_path / "results", Console(quiet=True), workers=workers)
        evaluate([("unite", Settings(scenes=2, seeds=1, steps=1))], at)
        pictures = {path.name: path.read_bytes() for path in place.glob("pictures/*.png")}
        return pictures, (tmp_path / "results/unite.json").read_text()

    with monkeypatch.context() as alone:
        alone.delattr(Here, "__call__")  # in this process nothing can be made meanwhile
        over = measured(Workers(2))
    shutil.rmtree(place)
    assert over == measured(None)
    assert len(over[0]) == 14


def test_the_command_asks_for_them_where_it_is_told(untrained: Path, tmp_path: Path) -> None:
    words = ["--protocol", "unite", "--base", untrained, "--scenes", "2", "--workers", "2", "--ray-address"]
    ran = subprocess.run(
        [SLUICE, "evaluate", *words, "127.0.0.1:9"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ran.returncode == 1
    assert "127.0.0.1:9" in ran.stderr
    assert list(tmp_path.glob("evaluation/pictures/*.png")) == []
