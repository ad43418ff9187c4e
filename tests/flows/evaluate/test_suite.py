"""Suites and protocols by name: what is missing is named first, and how much is to be made."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from sluice.flows.evaluate.compare import MARK
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.eight import EIGHT
from sluice.flows.evaluate.methods import BASE, Networks, Sampling
from sluice.flows.evaluate.settings import FOLDER, settings_of
from sluice.flows.evaluate.suite import ALONE, PROTOCOLS, SUITES, Place, evaluate
from sluice.infra.models import MissingWeights
from sluice.infra.settings import ConfigError
from tests.flows.runs import SLUICE

NETWORKS = Networks("tabletop")


def at(base: str, tmp_path: Path, console: Console) -> Place:
    return Place(base, NETWORKS, tmp_path / "place", tmp_path / "results", console)


def test_every_protocol_has_settings_and_a_quicker_run() -> None:
    for name in PROTOCOLS:
        whole, quick = settings_of(name), settings_of(name, quick=True)
        assert quick.scenes * quick.seeds * quick.steps < 0.5 * whole.scenes * whole.seeds * whole.steps
        assert settings_of(name, over={"scenes": 3, "steps": None}) == whole.model_copy(update={"scenes": 3})
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(SUITES["papers"]) | ALONE


def test_the_eight_claims_are_of_the_papers_suite() -> None:
    assert len(EIGHT) == 8
    assert {protocol for protocol, _ in EIGHT} <= set(SUITES["papers"])
    assert set(SUITES["papers"]) | set(SUITES["ablations"]) == set(PROTOCOLS) - ALONE


def test_parts_that_are_not_there_are_named_before_anything_is_made(tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    (tmp_path / "family").mkdir()
    with pytest.raises(MissingWeights, match=r"family holds no unet_class, of which 'unite' is: `sluice train"):
        evaluate([("unite", settings_of("unite"))], at(str(tmp_path / "family"), tmp_path, quiet))
    with pytest.raises(MissingWeights, match="'tabletop/controlnet-canny' does not ship yet: make it by"):
        evaluate([("silence", settings_of("silence"))], at("tabletop", tmp_path, quiet))
    assert list(tmp_path.iterdir()) == [tmp_path / "family"]


def test_how_many_pictures_there_are_to_be_is_said_first(untrained: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    place = at(str(untrained), tmp_path, console)
    evaluate([("unite", settings_of("unite", over={"scenes": 2, "seeds": 1, "steps": 1}))], place)
    assert isinstance(console.file, io.StringIO)
    first, *_ = console.file.getvalue().splitlines()
    assert first == "unite: at most 12 pictures, 6 of each scene and seed"
    assert len(list((tmp_path / "place/pictures").glob("*.png"))) == 12


def test_edges_that_nothing_draws_are_left_out_and_this_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    controls = Contest(Sampling(), tmp_path, console, NETWORKS).controls([BASE])
    assert controls == ["canny", "depth", "pose"]
    assert isinstance(console.file, io.StringIO)
    assert "hed is left out: its weights are not here; `sluice models pull hed`" in console.file.getvalue()


def test_numbers_out_of_their_range_are_named() -> None:
    with pytest.raises(ConfigError, match="--scenes 1: Input should be greater than or equal to 2"):
        settings_of("amdm", over={"scenes": 1})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a --suite (papers, ablations) or a --protocol (silence, "),
        (["--suite", "paper"], "--suite paper: there is no such suite; did you mean 'papers'?"),
        (["--protocol", "amdn"], "--protocol amdn: there is no such protocol; did you mean 'amdm'?"),
    ],
)
def test_the_command_names_what_there_is(words: list[str], said: str, tmp_path: Path) -> None:
    run = subprocess.run([SLUICE, "evaluate", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert said in " ".join(run.stderr.replace("│", " ").split())


def test_the_report_is_a_text_and_a_page(untrained: Path, tmp_path: Path) -> None:
    place = at(str(untrained), tmp_path, Console(quiet=True))
    evaluate([("unite", settings_of("unite", over={"scenes": 2, "seeds": 1, "steps": 1}))], place)
    words = ["report", "--results", "results", "--place", "place", "--out", "results.md"]
    run = subprocess.run([SLUICE, "evaluate", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["results.md", "place/index.html"]
    assert "## Unite and Conquer, scenes" in (tmp_path / "results.md").read_text()
    page = (tmp_path / "place/index.html").read_text()
    assert page.count("<img") == 2 * 6, "two cases by six methods"
    beside = subprocess.run(
        [SLUICE, "evaluate", "compare", "results", "results"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "both things shown | scenes | Unite |" in beside.stdout
    assert MARK not in beside.stdout, "a run is as it is"
