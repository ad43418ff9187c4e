"""Suites and protocols by name: what is missing is named first, and how much is to be made."""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from rich.console import Console

from sluice.flows.compose.tree.misfit import Misfit
from sluice.flows.evaluate.compare import MARK
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.eight import EIGHT
from sluice.flows.evaluate.measures import PROTOCOLS
from sluice.flows.evaluate.methods import BASE, Networks, Sampling
from sluice.flows.evaluate.names import ALONE, NAMES, PAPERS, SUITES
from sluice.flows.evaluate.protocols import conservativity
from sluice.flows.evaluate.results import read
from sluice.flows.evaluate.settings import FOLDER, Settings, settings_of
from sluice.flows.evaluate.suite import JUDGED, UNJUDGED, NotMeasured, Place, evaluate
from sluice.flows.observe.log import log
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import MissingWeights, UnknownModel, find
from tests.checkers import checker
from tests.flows.runs import SLUICE

NETWORKS = Networks("tabletop")
ROOT = Path(__file__).parents[3]


def records(stage: str) -> float:
    """Of a stage, counted in this process."""
    return REGISTRY.get_sample_value("sluice_records_total", {"stage": stage}) or 0.0


def at(base: str, tmp_path: Path, console: Console) -> Place:
    return Place(base, NETWORKS, tmp_path / "place", tmp_path / "results", console)


def test_every_protocol_has_settings_and_a_quicker_run() -> None:
    for name in PROTOCOLS:
        whole, quick = settings_of(name), settings_of(name, quick=True)
        assert quick.scenes * quick.seeds * quick.steps < 0.5 * whole.scenes * whole.seeds * whole.steps
        assert settings_of(name, over={"scenes": 3, "steps": None}) == whole.model_copy(update={"scenes": 3})
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*PAPERS, *ALONE}


def test_the_eight_claims_are_of_the_papers_suite() -> None:
    assert len(EIGHT) == 8
    assert {protocol for protocol, _ in EIGHT} <= set(SUITES["papers"])


def test_the_names_are_those_of_the_protocols() -> None:
    assert sorted(NAMES) == sorted(PROTOCOLS)
    assert set(SUITES["papers"]) | set(SUITES["ablations"]) == set(PROTOCOLS) - set(ALONE)


def test_every_protocol_has_its_row_in_the_documentation() -> None:
    rows = [line for line in (ROOT / "docs/evaluating.md").read_text().splitlines() if line.startswith("| `")]
    told = [name for row in rows for name in row.split("|")[1].replace("`", "").replace(",", "").split()]
    assert sorted(told) == sorted(NAMES)


def test_parts_that_are_not_there_are_named_before_anything_is_made(tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    (tmp_path / "family").mkdir()
    with pytest.raises(MissingWeights, match=r"family holds no unet_class, of which 'unite' is: `sluice train"):
        evaluate([("unite", settings_of("unite"))], at(str(tmp_path / "family"), tmp_path, quiet))
    elsewhere = replace(at("tabletop", tmp_path, quiet), networks=Networks(f"{tmp_path}/family"))
    with pytest.raises(
        MissingWeights,
        match=r"'silence' is of networks that are not here: .*/family has no controlnet-canny and no .*; "
        r"`sluice train evidence --only controlnet-canny .*`, and then `--networks OUT/networks`",
    ):
        evaluate([("silence", settings_of("silence"))], elsewhere)
    assert list(tmp_path.iterdir()) == [tmp_path / "family"]


@pytest.mark.parametrize("own", ["family", "./family", "family/../family/", "{}/family"])
def test_a_folder_is_told_from_the_working_directory_where_it_is_below_that(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "family").mkdir()
    named = replace(at(own.format(tmp_path), tmp_path, Console()), networks=Networks(own.format(tmp_path)))
    monkeypatch.chdir(tmp_path)
    assert named.told == {"base": "./family", "networks": "./family"}
    monkeypatch.chdir(tmp_path / "family")
    elsewhere = replace(at(str(tmp_path / "family"), tmp_path, Console()), networks=Networks("tabletop"))
    assert elsewhere.told == {"base": "."}
    assert replace(elsewhere, base=str(tmp_path)).told == {"base": str(tmp_path)}


def test_how_many_pictures_there_are_to_be_is_said_first(untrained: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    place = at(str(untrained), tmp_path, console)
    evaluate([("unite", settings_of("unite", over={"scenes": 2, "seeds": 1, "steps": 1}))], place)
    assert isinstance(console.file, io.StringIO)
    first, second, *_ = console.file.getvalue().splitlines()
    assert first == "unite: at most 14 pictures, 7 of each scene and seed"
    assert second == "In all at most 14 pictures; what is there already is not made again."
    assert len(list((tmp_path / "place/pictures").glob("*.png"))) == 14


def test_a_place_that_is_none_is_named_before_anything_loads(untrained: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = [("unite", settings_of("unite", over={"scenes": 2, "seeds": 1, "steps": 1}))]
    place = replace(at(str(untrained), tmp_path, Console(quiet=True)), pictures=tmp_path / "file")
    with pytest.raises(ConfigError, match=r"pictures cannot be kept in .*/file \(File exists\): name with `--place`"):
        evaluate(wanted, place)


@pytest.mark.parametrize("over", [{"scenes": 10**20}, {"seeds": 10**17}])
def test_numbers_without_sense_are_refused(over: dict[str, int]) -> None:
    ((name, _),) = over.items()
    with pytest.raises(ConfigError, match=f"--{name} 10+: Input should be less than or equal to"):
        settings_of("unite", over=over)


def test_what_judges_pictures_is_said_kept_and_looked_for_first(untrained: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    wanted = [("unite", settings_of("unite", over={"scenes": 2, "seeds": 1, "steps": 1}))]
    with pytest.raises(Misfit, match="safety: 'open-nfsw' is neither a model of the catalogue"):
        evaluate(wanted, replace(at(str(untrained), tmp_path, console), safety="open-nfsw"))
    with pytest.raises(ConfigError, match=r"safety: tabletop is no classifier that can be loaded"):
        evaluate(wanted, replace(at(str(untrained), tmp_path, console), safety="tabletop"))
    for base in ("", "nosuch"):
        with pytest.raises(UnknownModel, match=f"^'{base}' is neither a model of the catalogue"):
            evaluate(wanted, at(base, tmp_path, console))
    assert not list(tmp_path.iterdir())
    evaluate(wanted, at(str(untrained), tmp_path, console))
    assert read(tmp_path / "results/unite.json").settings["safety"] == "none"
    judge = checker(tmp_path, 1)
    judged = replace(at(str(untrained), tmp_path, console), safety=str(judge))
    with pytest.raises(
        ConfigError, match=r"unite\.json was measured with safety none, and this has safety .*judge.*--out"
    ):
        evaluate(wanted, judged)
    evaluate(wanted, replace(judged, results=tmp_path / "judged"))
    found = read(tmp_path / "judged/unite.json")
    assert found.settings["safety"] == str(judge)
    assert found.made_of[judge.name] == find(str(judge)).digest[:12]
    assert isinstance(console.file, io.StringIO)
    said = [line for line in console.file.getvalue().splitlines() if "judge" in line.partition(":")[0]]
    assert said == [UNJUDGED, JUDGED.format(judge)]
    records = [json.loads(file.read_text()) for file in (tmp_path / "place/pictures").glob("*.json")]
    assert sorted(own["safety"]["by"] for own in records) == sorted(["none", str(judge)] * 14)


def test_a_protocol_that_ends_takes_no_other_along(
    untrained: Path, networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conservativity, "LEVELS", (500,))
    for name in conservativity.NETWORKS:
        shutil.copytree(networks.of(name), tmp_path / "canny" / name / "model")
    wanted = [(name, Settings(scenes=2, seeds=1, steps=1)) for name in ("unite", "conservativity")]
    place = replace(at(str(untrained), tmp_path, Console(quiet=True)), networks=Networks(str(tmp_path / "canny")))
    with pytest.raises(NotMeasured, match=r"1 of 2 protocols were not measured:\nunite: 14 pictures were not made"):
        evaluate(wanted, replace(place, safety=str(checker(tmp_path, -1))))
    assert NotMeasured.exit_code == 1
    assert [path.stem for path in place.results.glob("*.json")] == ["conservativity"]


def test_pictures_are_counted_by_protocol_as_they_are_made_and_judged(
    untrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = [("unite", settings_of("unite", over={"scenes": 2, "seeds": 1, "steps": 1}))]

    def counted() -> list[float]:
        """What one run adds to each stage."""
        before = [records(f"unite-{what}") for what in ("made", "judged")]
        evaluate(wanted, at(str(untrained), tmp_path, Console(quiet=True)))
        return [records(f"unite-{what}") - own for what, own in zip(("made", "judged"), before, strict=True)]

    log.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, log.name):
            assert counted() == [14, 14]
            assert counted() == [0, 14], "none is made twice"
    finally:
        log.removeHandler(caplog.handler)
    told = [(own.stage, own.shard, own.records) for own in caplog.records if own.message == "done"]  # type: ignore[attr-defined]
    assert told.count(("unite-judged", "scenes", 14)) == 2
    assert sum(records for stage, _, records in told if stage == "unite-made") == 14


def test_edges_that_nothing_draws_are_left_out_and_this_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    controls = Contest(Sampling(), tmp_path, console, NETWORKS).controls([BASE])
    assert controls == ["canny", "depth", "pose"]
    assert isinstance(console.file, io.StringIO)
    assert "Left out: hed: the weights hed are not here; `sluice models pull hed`" in console.file.getvalue()


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
    run = subprocess.run(
        [sys.executable, "-X", "importtime", SLUICE, "evaluate", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    said_of = [line for line in run.stderr.splitlines() if not line.startswith("import time:")]
    assert said in " ".join(said_of)
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "sluice.flows.evaluate.names" in loaded
    assert not loaded & {"torch", "diffusers", "transformers"}


def test_the_report_is_a_text_and_a_page(untrained: Path, tmp_path: Path) -> None:
    place = at(str(untrained), tmp_path, Console(quiet=True))
    evaluate([("unite", settings_of("unite", over={"scenes": 2, "seeds": 1, "steps": 1}))], place)
    words = ["report", "--results", "results", "--place", "place", "--out", "results.md"]
    run = subprocess.run([SLUICE, "evaluate", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["results.md", "place/results.html"]
    assert "## Unite and Conquer, scenes" in (tmp_path / "results.md").read_text()
    page = (tmp_path / "place/results.html").read_text()
    assert page.count("<img") == 2 * 7, "two cases by seven methods"
    beside = subprocess.run(
        [SLUICE, "evaluate", "compare", "results", "results"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "both things shown | scenes | Unite |" in beside.stdout
    assert MARK not in beside.stdout, "a run is as it is"
