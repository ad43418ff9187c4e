"""Protocols on records of a data set, seen by its own stages: of scenes that were built as one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from sluice.flows.compose.tree.images import pixels_of
from sluice.flows.compose.tree.nodes import image_of
from sluice.flows.evaluate.anew import Anew
from sluice.flows.evaluate.cases import shown
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.commands import app
from sluice.flows.evaluate.methods import CONTROLNET, FIRST_STAGE, Networks
from sluice.flows.evaluate.protocols import convergence, minimal_impact, obedience, silence
from sluice.flows.evaluate.protocols.layouts import LAYOUTS
from sluice.flows.evaluate.recorded import HeldOut
from sluice.flows.evaluate.records import Records
from sluice.flows.evaluate.results import read
from sluice.flows.evaluate.settings import Settings
from sluice.flows.evaluate.suite import NothingToMeasure, Place, evaluate
from sluice.flows.evaluate.worded import embeds
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import MissingWeights
from sluice.preprocess.stages.image import split_of
from tests.flows.conftest import config_for
from tests.preprocess.builds import build_here

HELD_OUT = 0.5
GIVEN = ["segments", "depth", "pose", "pose.json", "mask", "background", "fg_depth", "bg_depth"]
STAGES = {
    "image": {"size": 64, "min_side": 0, "validation": HELD_OUT},
    "given": {"conditions": GIVEN},
    "canny": {"low": 50},
    "hed": {"model": "gradient"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dozen scenes with a figure each, their truths given, half of them held out."""
    out = tmp_path_factory.mktemp("data")
    source = {"kind": "tabletop", "uri": "12", "size": 64, "law": "figures"}
    build_here(config_for(source, out, stages=STAGES, shard_size=5))
    return str(out / "datasets" / "made")


@pytest.fixture(scope="module")
def records(data: str) -> Records:
    return Records(HeldOut(data))


@pytest.fixture
def measured(
    untrained: Path, networks: Networks, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Results]:
    """A protocol, measured whole on two records by untrained networks in a step, without weights that do not ship."""
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))

    def measure(name: str, own: Networks = networks) -> Results:
        at = Place(str(untrained), own, tmp_path, tmp_path / "results", Console(quiet=True), records)
        evaluate([(name, Settings(scenes=2, seeds=1, steps=1))], at)
        return read(tmp_path / "results" / f"{name}.json")

    return measure


def test_a_case_is_a_record_that_nothing_was_trained_on(records: Records) -> None:
    some = records.cases("canny", 3)
    assert [own.number for own in some] == [0, 1, 2]
    keys = {own.record.key for own in records.held.first(12)}
    assert {split_of(key, HELD_OUT) for key in keys} == {"validation"}
    assert 2 < len(keys) < 12
    for own in some:
        assert "figure" in own.prompt
        for field in ("image", "canny", "depth", "background", "mask"):
            named = pixels_of(image_of(own.image(field)), Path(), own.size)
            assert torch.equal(torch.from_numpy(named), torch.from_numpy(own.levels(field))), field


def test_a_true_picture_obeys_its_own_control_by_the_stages_that_made_it(records: Records) -> None:
    some = list(records.cases("pose", 4))
    true = shown(some, "image") * 2 - 1
    by = records.obeyed
    assert {own: by[own].figure for own in by if own != "mask"} == {
        "canny": "edge F1", "hed": "L1 of edges", "depth": "depth MAE", "pose": "PCK@0.2"
    }  # fmt: skip
    assert by["canny"].of(true, some).tolist() == [1, 1, 1, 1]
    assert by["hed"].of(true, some).tolist() == [0, 0, 0, 0]
    for control in by:
        sign = 1 if by[control].better == "higher" else -1
        own, others = (sign * by[control].of(pictures, some).mean() for pictures in (true, true.roll(1, 0)))
        assert own > others, control


def test_no_record_is_in_two_pairs(records: Records) -> None:
    found = [own.record.key for two in records.pairs(("pose", "canny"), 2) for own in (two.one, two.other)]  # type: ignore[attr-defined]
    assert len(set(found)) == 4


def test_the_command_measures_a_protocol_on_data(
    data: str, untrained: Path, networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    small = ["--scenes", "2", "--seeds", "1", "--steps", "1"]
    told = ["--data", data, "--base", str(untrained), "--networks", networks.place, *small]
    done = CliRunner().invoke(app, ["--protocol", "obedience", *told], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    version = HeldOut(data).version
    found = read(Path("evaluation", "results", version, "obedience.json"))
    assert f"evaluation/results/{version}; `sluice evaluate report --results" in done.output
    held = HeldOut(data).count
    assert f"On {version.replace('-', ' ', 1)}, validation: {held} cases." in done.output
    assert found.settings["data"] == f"{version.replace('-', ' ', 1)}, validation"
    assert {own.condition: own.figure for own in found.estimates} == {
        "canny": "edge F1", "hed": "L1 of edges", "depth": "depth MAE", "pose": "PCK@0.2"
    }  # fmt: skip
    assert found.left_out == {
        "FID and KID": "the weights inception-fid are not here; `sluice models pull inception-fid`"
    }
    methods = [own for own in obedience.METHODS if own.kind is not None]
    assert set(found.made_of) == {
        untrained.name,
        *(f"{m.network}-{own.condition}" for m in methods for own in found.estimates),
    }
    assert len(list(Path("evaluation", "pictures").glob("*.png"))) == 2 * (1 + 4 * len(methods))
    CliRunner().invoke(app, ["report", "--results", f"evaluation/results/{version}"], catch_exceptions=False)
    assert f"data {version.replace('-', ' ', 1)}, validation" in Path(f"evaluation/results/{version}.md").read_text()
    tabletops = CliRunner().invoke(app, ["--protocol", "unite", "--out", f"evaluation/results/{version}"])
    assert "obedience.json was measured on made " in str(tabletops.exception)
    assert "and this is tabletop's scenes" in str(tabletops.exception)


def test_silence_is_measured_on_records(measured: Callable[..., Results]) -> None:
    found = measured("silence")
    assert {own.condition for own in found.estimates} == {"canny", "hed", "depth", "pose"}
    assert {own.figure for own in found.estimates} == {silence.TEXTURE, silence.NEARNESS}


def test_two_controls_are_of_two_records(measured: Callable[..., Results], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimal_impact, "PAIRS", minimal_impact.PAIRS[:1])
    monkeypatch.setattr(minimal_impact, "LAYOUTS", {"parts": LAYOUTS["parts"]})
    found = measured("minimal-impact")
    assert {own.condition for own in found.estimates} == {"pose + canny, parts"}
    assert len(found.estimates) == len(minimal_impact.METHODS) * 3


def test_records_are_made_again(measured: Callable[..., Results]) -> None:
    found = measured("reconstruction")
    assert {own.figure for own in found.estimates} == {"SSIM", "depth MAE", "CLIP similarity"}
    assert set(found.left_out) == {"LPIPS (VGG-16)", "FID and KID"}
    assert "cnc" in found.made_of
    assert len(found.claims[0].verdicts) == 3 + 2


def test_a_base_without_embeddings_is_not_asked_for_likeness_to_words(
    untrained: Path, networks: Networks, records: Records, tmp_path: Path
) -> None:
    shutil.copytree(untrained, tmp_path / "plain", copy_function=os.link)
    config = tmp_path / "plain" / "text_encoder" / "config.json"
    told = json.loads(config.read_text())
    config.unlink()
    config.write_text(json.dumps({**told, "architectures": ["CLIPTextModel"]}))
    assert [embeds(str(base)) for base in (untrained, tmp_path / "plain")] == [True, False]
    shutil.rmtree(tmp_path / "plain" / "image_encoder")
    at = Place(str(tmp_path / "plain"), networks, tmp_path, tmp_path / "results", Console(quiet=True), records)
    with pytest.raises(MissingWeights, match="plain holds no image_encoder, of which 'reconstruction' is: put"):
        evaluate([("reconstruction", Settings(scenes=2, seeds=1, steps=1))], at)
    assert not (tmp_path / "pictures").exists()


def test_convergence_is_measured_on_records(
    measured: Callable[..., Results], networks: Networks, tmp_path: Path
) -> None:
    for name in convergence.NETWORKS:
        shutil.copytree(networks.of(name), tmp_path / "networks" / name / "snapshots" / f"{150:09}")
    found = measured("convergence", Networks(str(tmp_path / "networks")))
    assert {(own.figure, own.method) for own in found.curves} == {
        ("edge F1", own.name) for own in (CONTROLNET, FIRST_STAGE)
    }


def test_a_protocol_of_truths_says_which_ones_take_data(measured: Callable[..., Results]) -> None:
    with pytest.raises(ConfigError, match=r"'cnc' is measured by what .* on data there are: silence, obedience, conv"):
        measured("cnc")


def test_controls_without_networks_are_left_out_and_none_at_all_is_an_error(
    measured: Callable[..., Results], networks: Networks, tmp_path: Path
) -> None:
    own = Networks(str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    with pytest.raises(
        NothingToMeasure, match=r"canny: there is no .*; `sluice train` one to NETWORKS/controlnet-canny, and say"
    ):
        measured("obedience", own)
    for name in ("controlnet-canny", "micontrolnet-canny"):
        shutil.copytree(networks.of(name), tmp_path / "own" / name / "model")
    found = measured("obedience", own)
    assert {own.condition for own in found.estimates} == {"canny"}
    assert {"hed", "depth", "pose"} <= set(found.left_out)


def test_what_the_stages_of_here_cannot_see_is_said(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "empty"))
    manifest = json.loads(json.dumps(records.anew.manifest))
    seen = {own: Anew(manifest).lack(own) for own in ("canny.png", "depth.png", "fg_depth.png", "parts.png")}
    assert seen["canny.png"] is seen["depth.png"] is None
    assert "fg_depth.png is made of jpg, mask.png" in str(seen["fg_depth.png"])
    assert "the data set has no parts.png" in str(seen["parts.png"])
    canny = next(own for own in manifest["stages"] if own["name"] == "canny")
    canny["parameters"]["low"] = 60
    assert "canny.png was made by another canny or of other weights" in str(Anew(manifest).lack("canny.png"))
    canny["name"] = "cany"
    assert "no stage here makes canny.png" in str(Anew(manifest).lack("canny.png"))
    hed = next(own for own in manifest["stages"] if own["name"] == "hed")
    hed["parameters"]["model"] = "hed"
    assert "`sluice models pull hed`" in str(Anew(manifest).lack("hed.png"))


def test_fields_and_records_that_are_lacking_are_named(records: Records, data: str, tmp_path: Path) -> None:
    stages = [own for own in records.anew.manifest["stages"] if own["name"] != "given"]
    bare = HeldOut(data)
    version = replace(bare.data.version, manifest={**records.anew.manifest, "stages": stages})
    bare.data = replace(bare.data, version=version)
    with pytest.raises(ConfigError, match=r"lacks bg.jpg, bg_depth.png, fg_depth.png, mask.png, which tell"):
        Records(bare).composed(2)
    exported = shutil.copytree(Path(data, bare.data.version.id), tmp_path / "exported")
    with pytest.raises(ConfigError, match="merged shards do not say which stages made them"):
        HeldOut(str(exported))
