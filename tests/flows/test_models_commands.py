from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.flows.models import NotPulled, app
from sluice.infra.weights.catalogue import UnknownModel
from tests.shelf import PACKAGE, Shelf, wheel

NET = bytes(range(256)) * 40


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf(tmp_path, monkeypatch)
    shelf.publish("toy-weights", "toy_weights-1.0.0-py3-none-any.whl", wheel({"toy/net.onnx": NET}))
    shelf.list("toy", PACKAGE, NET, doubts="nobody knows")
    shelf.list("depth", {"hub": "someone/depth", "files": {"config.json": None}}, form="folder", kind="depth")
    return shelf


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("shelf")
def test_the_list_tells_size_licence_origin_and_whether_it_is_here() -> None:
    depth, toy = run("list").splitlines()[1:3]
    assert depth.split() == ["depth", "depth", "?", "MIT", "hub", "someone/depth", "no"]
    assert toy.split() == ["toy", "salient", "10", "kB", "MIT", "*", "wheel", "toy-weights", "1.0.0", "no"]
    run("pull", "toy")
    assert run("list").splitlines()[2].split()[-1] == "yes"


def test_damage_shows_in_the_list(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(NET)
    run("pull", "toy", "--from", str(tmp_path / "net.onnx"))
    next((shelf.cache / "blobs").iterdir()).write_bytes(b"")
    assert run("list").splitlines()[2].split()[-1] == "damaged"


def test_show_tells_the_doubts_and_what_is_not_verified(shelf: Shelf, tmp_path: Path) -> None:
    assert "doubts:    nobody knows" in run("show", "toy")
    assert "unverified until pulled; recorded on first pull" in run("show", "depth")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    path = run("pull", "depth", "--from", str(tmp_path / "mine")).strip().removeprefix("depth: ")
    assert Path(path).parent == shelf.cache / "blobs"
    assert f"sha256:    {Path(path).name}" in run("show", "depth")


def test_weights_that_the_catalogue_cannot_verify_are_named(shelf: Shelf, tmp_path: Path) -> None:
    files = dict.fromkeys(("config.json", "a.safetensors", "b.safetensors"))
    shelf.list("depth", {"hub": "someone/depth", "files": files}, form="folder")
    for name in files:
        (tmp_path / name).write_text("{}")
    said = run("pull", "depth", "--from", str(tmp_path))
    assert "no digest of a.safetensors, b.safetensors: believed as it came, SHA-256 " in said
    assert "believed" not in run("pull", "toy")


@pytest.mark.usefixtures("shelf")
def test_show_tells_of_weights_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(NET)
    told = run("show", str(tmp_path / "net.onnx")).splitlines()
    assert told[1:] == [f"sha256:    {hashlib.sha256(NET).hexdigest()}", "size:      10 kB"]


@pytest.mark.usefixtures("shelf")
def test_an_empty_origin_is_refused() -> None:
    result = CliRunner().invoke(app, ["pull", "toy", "--from", ""])
    assert "--from is empty" in str(result.exception)


@pytest.mark.usefixtures("shelf")
def test_a_cache_that_is_no_folder_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_MODELS", "/dev/null")
    assert run("list").splitlines()[2].split()[-1] == "no"
    result = CliRunner().invoke(app, ["pull", "toy"])
    assert "The cache of weights, /dev/null, could not take 'toy': Not a directory" in str(result.exception)


@pytest.mark.usefixtures("shelf")
def test_an_unknown_name_reaches_the_command_line_as_one_paragraph() -> None:
    for command in ("show", "pull"):
        result = CliRunner().invoke(app, [command, "tyo"])
        assert isinstance(result.exception, UnknownModel)
        assert "Did you mean 'toy'" in str(result.exception)


@pytest.mark.usefixtures("shelf")
def test_one_that_cannot_be_had_does_not_keep_the_others_back() -> None:
    result = CliRunner().invoke(app, ["pull", "tyo", "toy", "yto"])
    assert isinstance(result.exception, NotPulled)
    assert str(result.exception).startswith("2 of 3 weights could not be had:\n  tyo: ")
    assert result.stdout.startswith("toy: ")
