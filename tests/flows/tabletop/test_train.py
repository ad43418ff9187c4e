"""`sluice train tabletop` on small parts of the family: begun, gone on with, refused in words."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.tabletop.runs import DONE, OtherRecipe, UntrainedPart, keep_to_recipe
from sluice.flows.tabletop.train import UnknownPart, train_tabletop
from sluice.infra.lock import Occupied, alone_in
from sluice.infra.weights.models import find
from sluice.infra.weights.pretrained import ModelFolderError
from sluice.infra.whole import write_whole
from sluice.training.tabletop import loop
from sluice.training.tabletop.family import family
from sluice.training.tabletop.scenes import Scenes

Train = Callable[..., str]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Trains into one folder and returns what was said."""

    def run(*only: str, steps: int | None = 2, seed: int = 0, given: Path | None = None) -> str:
        console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
        train_tabletop(tmp_path / "out", only, steps, seed, console, given)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    return run


def test_a_part_is_trained_once(train: Train, tmp_path: Path) -> None:
    assert "trained already" not in train("vae")
    weights = (tmp_path / "out/models/vae/diffusion_pytorch_model.safetensors").read_bytes()
    assert "vae: trained already (2 steps of 16, weights " in train("vae")
    assert (tmp_path / "out/models/vae/diffusion_pytorch_model.safetensors").read_bytes() == weights


@pytest.mark.slow
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
    assert f"`sluice train tabletop --only vae --only text_encoder --out {tmp_path / 'out'}` comes first" in str(
        refused.value
    )


def test_what_a_part_needs_is_taken_from_a_family_that_has_it(train: Train, tmp_path: Path) -> None:
    shipped = find("tabletop").path
    assert "vae: taken from" in train("latent_judges", given=shipped)
    taken = tmp_path / "out/models/vae/diffusion_pytorch_model.safetensors"
    assert taken.read_bytes() == (shipped / "vae" / taken.name).read_bytes()
    assert "taken from" not in train("latent_judges", given=shipped)
    with pytest.raises(UntrainedPart, match=r"has no text_encoder and no tokenizer: train text_encoder with"):
        train("unet", given=tmp_path / "out/models")


@pytest.mark.parametrize(
    ("file", "bytes_", "told"),
    [
        ("diffusion_pytorch_model.safetensors", b"{}", r"given/vae does not hold a AutoencoderKL"),
        ("config.json", b"{", r"given/vae does not hold a AutoencoderKL"),
    ],
)
def test_a_given_part_that_is_not_whole_is_not_taken(
    train: Train, tmp_path: Path, file: str, bytes_: bytes, told: str
) -> None:
    shutil.copytree(find("tabletop").path / "vae", tmp_path / "given/vae")
    write_whole(tmp_path / "given/vae" / file, bytes_)
    with pytest.raises(ModelFolderError, match=told):
        train("latent_judges", given=tmp_path / "given")
    assert not (tmp_path / "out/runs/vae" / DONE).exists()


@pytest.mark.parametrize("kind", ["unet", "image_encoder"])
def test_a_given_part_is_of_the_kind_that_is_wanted(train: Train, tmp_path: Path, kind: str) -> None:
    shutil.copytree(find("tabletop").path / kind, tmp_path / "given/vae")
    with pytest.raises(ModelFolderError, match="given/vae"):
        train("latent_judges", given=tmp_path / "given")
    assert not (tmp_path / "out/runs/vae" / DONE).exists()


def test_two_trainings_do_not_share_a_folder(train: Train, tmp_path: Path) -> None:
    with alone_in(tmp_path / "out"), pytest.raises(Occupied, match=r"out is being written by another process"):
        train("vae")


def test_the_first_line_and_the_page_come_with_the_first_losses(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    pages = []
    monkeypatch.setattr(loop.Training, "keep", lambda _: pages.append((tmp_path / "out/index.html").exists()))
    assert "vae: step 1 of 2, " in train("vae")
    assert pages == [True]


def test_other_weights_of_what_a_part_needs_are_another_training(tmp_path: Path) -> None:
    part = family(tmp_path)["unet"]
    for need in part.needs:
        write_whole(tmp_path / "runs" / need / DONE, "2 steps of 16, weights aaaa\n")
    keep_to_recipe(part, tmp_path, 0)
    keep_to_recipe(part, tmp_path, 0)
    write_whole(tmp_path / "runs/vae" / DONE, "2 steps of 16, weights bbbb\n")
    with pytest.raises(OtherRecipe, match=r"unet trained with vae 2 steps of 16, weights aaaa and not .* weights bbbb"):
        keep_to_recipe(part, tmp_path, 0)


def test_other_scenes_are_another_training(tmp_path: Path) -> None:
    part = family(tmp_path)["judges"]
    keep_to_recipe(part, tmp_path, 0)
    part.scenes = Scenes((("one", 1.0),))
    with pytest.raises(OtherRecipe, match="scenes"):
        keep_to_recipe(part, tmp_path, 0)


def test_notes_of_a_training_that_are_none_say_what_to_remove(tmp_path: Path) -> None:
    write_whole(tmp_path / "runs/judges/recipe.json", "{")
    with pytest.raises(OtherRecipe, match=r"recipe.json is no JSON; remove .*runs/judges to train judges anew"):
        keep_to_recipe(family(tmp_path)["judges"], tmp_path, 0)


def test_an_unknown_part_is_named_with_those_there_are(train: Train) -> None:
    with pytest.raises(UnknownPart, match=r"--only vea: .*there are: vae, text_encoder, judges, image_encoder, unet"):
        train("vea")
