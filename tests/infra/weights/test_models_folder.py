"""Weights that come from a folder or S3, as files, folders or checkpoints."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sluice.infra.storage import storage
from sluice.infra.weights.models import DamagedWeights, MissingWeights, WrongWeights, find, pull
from sluice.infra.weights.origins import NotThere
from tests.faults.servers import S3Server
from tests.shelf import NET, PACKAGE, Shelf

HUB = {"hub": "someone/Depth-hf", "files": {"config.json": None, "*.safetensors": None}}


def snapshot(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "README.md").write_text("not wanted")
    return folder


@pytest.mark.parametrize("where", ["depth", "Depth-hf", "."])
def test_a_folder_of_weights_comes_from_a_folder(shelf: Shelf, tmp_path: Path, where: str) -> None:
    shelf.list("depth", HUB, form="folder")
    snapshot(tmp_path / "here" / where) if where != "." else snapshot(tmp_path / "here")
    found = pull("depth", str(tmp_path / "here"))
    assert sorted(p.name for p in found.path.iterdir()) == ["config.json", "model.safetensors"]
    assert find("depth") == found


def test_a_folder_that_lacks_a_file_is_refused_by_its_name(shelf: Shelf, tmp_path: Path) -> None:
    shelf.list("depth", HUB, form="folder")
    (snapshot(tmp_path / "here") / "config.json").unlink()
    with pytest.raises(NotThere, match=r"does not hold config\.json"):
        pull("depth", str(tmp_path / "here"))


def test_each_file_of_a_folder_is_held_to_its_own_digest(shelf: Shelf, tmp_path: Path) -> None:
    files = {"config.json": None, "model.safetensors": hashlib.sha256(b"weights").hexdigest()}
    shelf.list("depth", HUB | {"files": files}, form="folder")
    with pytest.raises(WrongWeights, match=r"model\.safetensors, brought for 'depth'"):
        pull("depth", str(snapshot(tmp_path / "bad", b"other")))
    assert pull("depth", str(snapshot(tmp_path / "good"))).path.is_dir()


def test_what_was_pulled_first_is_what_is_pulled_again(shelf: Shelf, tmp_path: Path) -> None:
    shelf.list("depth", HUB, form="folder")
    first = pull("depth", str(snapshot(tmp_path / "first")))
    (first.path / "model.safetensors").unlink()
    with pytest.raises(DamagedWeights):
        find("depth")
    with pytest.raises(WrongWeights, match=r"no longer what was first pulled.*delete .*depth\.json"):
        pull("depth", str(snapshot(tmp_path / "second", b"other")))
    assert pull("depth", str(tmp_path / "first")) == first


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("name", ["net.onnx", "toy.onnx"])
def test_a_file_comes_from_a_folder_under_its_own_name_or_the_models(tmp_path: Path, name: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / name).write_bytes(NET)
    assert pull("toy", str(tmp_path / "here")).path.read_bytes() == NET


@pytest.mark.usefixtures("toy")
def test_a_file_is_named_directly(tmp_path: Path) -> None:
    (tmp_path / "renamed").write_bytes(NET)
    assert pull("toy", str(tmp_path / "renamed")).path.suffix == ".onnx"


def test_places_without_the_weights_say_what_was_looked_for(toy: Shelf, tmp_path: Path) -> None:
    with pytest.raises(NotThere, match="holds no files"):
        pull("toy", str(tmp_path / "nowhere"))
    with pytest.raises(NotThere, match=r"holds neither net\.onnx nor toy\.onnx"):
        pull("toy", str(toy.index))
    with pytest.raises(NotThere, match="names no hub for 'toy', but wheel toy-weights"):
        pull("toy", "hub")


@pytest.mark.usefixtures("toy")
def test_weights_come_from_s3_and_are_found_by_their_uri(
    moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = moto_server.new_bucket()
    storage(f"s3://{bucket}/models").write("net.onnx", NET)
    assert pull("toy", f"s3://{bucket}/models").path.read_bytes() == NET
    own = f"s3://{bucket}/models/net.onnx"
    with pytest.raises(MissingWeights, match=f"`sluice models pull {own}`"):
        find(own)
    assert pull(own).path.read_bytes() == NET
    assert find(own).digest == hashlib.sha256(NET).hexdigest()
    assert pull(f"s3://{bucket}/models").path.is_dir()


def test_a_checkpoint_becomes_safetensors_and_keeps_the_published_digest(shelf: Shelf, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save({"weight": torch.eye(2)}, tmp_path / "net.pt")
    data = (tmp_path / "net.pt").read_bytes()
    shelf.list("toy", PACKAGE | {"member": "net.pt"}, data, form="safetensors", pickled="torch")
    found = pull("toy", str(tmp_path))
    assert torch.equal(load_file(found.path)["weight"], torch.eye(2))
    assert found.digest == hashlib.sha256(data).hexdigest()


def test_checkpoints_inside_a_folder_get_the_name_that_libraries_look_for(shelf: Shelf, tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "here"
    folder.mkdir()
    torch.save({"weight": torch.eye(2)}, folder / "pytorch_model.bin")
    shelf.list("depth", HUB | {"files": {"pytorch_model.bin": None}}, form="folder", pickled="torch")
    assert [p.name for p in pull("depth", str(folder)).path.iterdir()] == ["model.safetensors"]
