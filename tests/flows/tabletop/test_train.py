"""`sluice train tabletop` on small parts of the family: begun, gone on with, refused in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.tabletop.runs import OtherRecipe, UntrainedPart
from sluice.flows.tabletop.train import UnknownPart, train_tabletop
from sluice.training.tabletop import loop

Train = Callable[..., str]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Trains into one folder and returns what was said."""

    def run(*only: str, steps: int | None = 2, seed: int = 0) -> str:
        console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
        train_tabletop(tmp_path / "out", only, steps, seed, console)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    return run


def test_a_part_is_trained_once(train: Train, tmp_path: Path) -> None:
    assert "trained already" not in train("vae")
    weights = (tmp_path / "out/models/vae/diffusion_pytorch_model.safetensors").read_bytes()
    assert "vae: trained already (2 steps of 16)" in train("vae")
    assert (tmp_path / "out/models/vae/diffusion_pytorch_model.safetensors").read_bytes() == weights


def test_another_recipe_or_seed_does_not_go_on_with_what_is_there(train: Train, tmp_path: Path) -> None:
    train("vae")
    for asked, told in (({"steps": 3}, "steps 2 and not 3"), ({"seed": 1}, "seed 0 and not 1"), ({"steps": None}, "2")):
        with pytest.raises(OtherRecipe, match=told) as refused:
            train("vae", **asked)
        assert str(tmp_path / "out/runs/vae") in str(refused.value)


def test_a_stopped_part_goes_on(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: loop.Training, batch: loop.Batch) -> None:
        if self.step == 2:
            self.keep()
            raise KeyboardInterrupt
        go_on(self, batch)

    go_on = loop.Training._train
    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_train", stop)
        with pytest.raises(KeyboardInterrupt):
            train("vae", steps=4)
    assert not (tmp_path / "out/models").exists()
    train("vae", steps=4)
    assert (tmp_path / "out/models/vae/config.json").exists()


def test_a_part_waits_for_those_it_needs(train: Train, tmp_path: Path) -> None:
    with pytest.raises(UntrainedPart) as refused:
        train("unet")
    assert f"`sluice train tabletop --only vae --only encoders --out {tmp_path / 'out'}` comes first" in str(
        refused.value
    )


def test_an_unknown_part_is_named_with_those_there_are(train: Train) -> None:
    with pytest.raises(UnknownPart, match=r"--only vea: .*there are: vae, encoders, judges, unet"):
        train("vea")
