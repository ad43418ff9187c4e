"""The page of a training: every part's state, its losses as curves, pictures of what it does."""

from __future__ import annotations

import html
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.tabletop.card import write_card
from sluice.flows.tabletop.figure import Figure
from sluice.flows.tabletop.page import write_page
from sluice.flows.tabletop.runs import UntrainedPart
from sluice.flows.tabletop.samples import SAMPLES, samples
from sluice.flows.tabletop.train import train_tabletop
from sluice.training.tabletop import loop
from sluice.training.tabletop.family import family


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of the autoencoder, both logged."""
    out = tmp_path_factory.mktemp("trained")
    patch = pytest.MonkeyPatch()
    patch.setattr(loop, "LOG_STEPS", 1)
    train_tabletop(out, ["vae"], 2, 0, Console(file=io.StringIO()))
    patch.undo()
    return out


def test_the_page_shows_what_is_trained_and_what_is_to_come(trained: Path) -> None:
    page = (trained / "index.html").read_text()
    assert "2 of 2" in page
    assert page.count("to come") == len(family(trained)) - 1
    assert page.count("<polyline") == 3, "loss, square, kl"
    assert page.count("data:image/png") == 16, "eight pictures and what they decode to"
    assert sorted(path.name for path in (trained / "runs/vae").iterdir()) == [
        "checkpoint.pt",
        "done",
        "losses.jsonl",
        "recipe.json",
        "samples.json",
    ]


def test_a_part_that_has_just_begun_has_no_curve(tmp_path: Path) -> None:
    (tmp_path / "runs/vae").mkdir(parents=True)
    (tmp_path / "runs/vae/losses.jsonl").write_text("")
    assert "No loss is logged yet." in write_page(tmp_path, family(tmp_path)).read_text()


@pytest.mark.parametrize("part", SAMPLES)
def test_every_part_that_makes_something_is_shown(untrained: Path, part: str) -> None:
    strips = samples(part, untrained)
    assert strips
    assert all(figure.source for strip in strips for figure in strip.figures)


def test_parts_that_only_compare_are_not() -> None:
    assert samples("identity", Path()) == samples("text_encoder", Path()) == []


def test_the_card_says_what_was_measured_and_what_was_missed(trained: Path) -> None:
    figures = [
        Figure("vae", "PSNR, dB", 27.123, "500 scenes", 25.0),
        Figure("unet", "right shape", 0.5, "200 prompts", 0.7),
        Figure("judges", "depth error, m", 0.04, "500 scenes", lower=True),
    ]
    card = write_card(trained / "models", figures).read_text()
    assert "| vae | PSNR, dB | 27.1 | >= 25 | 500 scenes |" in card
    assert "| unet | right shape | **0.5** | >= 0.7 | 200 prompts |" in card
    assert "Floors missed: 1, in bold." in card
    assert "| `vae` | AutoencoderKL |" in card
    assert "`unet`" not in card.split("## Figures")[0], "only what is there"
    assert json.loads((trained / "models/figures.json").read_text())[0]["value"] == 27.123


def test_a_training_that_fails_says_why_first(tmp_path: Path) -> None:
    with pytest.raises(UntrainedPart) as error:
        train_tabletop(tmp_path, ["unet"], 2, 0, Console(file=io.StringIO()))
    page = html.unescape((tmp_path / "index.html").read_text())
    assert page.index("failed") < page.index(str(error.value).splitlines()[0][:20]) < page.index("to come")
