"""Weights are pulled once, found by name or path, and held to their digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sluice.infra.weights.catalogue import UnknownModel
from sluice.infra.weights.models import DamagedWeights, MissingWeights, WrongWeights, find, pull
from tests.shelf import NET, PACKAGE, Shelf, leftovers, sdist


def test_a_pulled_model_is_found_by_name_and_the_workplace_is_gone(toy: Shelf) -> None:
    found = pull("toy")
    assert found == find("toy")
    assert found.path.read_bytes() == NET
    assert found.path.suffix == ".onnx"
    assert found.digest == hashlib.sha256(NET).hexdigest()
    assert found.info is not None
    assert found.info.licence == "MIT"
    assert leftovers(toy) == []


def test_finding_does_not_download_and_says_the_command(toy: Shelf) -> None:
    with pytest.raises(
        MissingWeights, match=r"`sluice models pull toy` \(wheel toy-weights 1\.0\.0, 10 kB; licence: MIT\)"
    ):
        find("toy")
    assert not toy.cache.exists()


@pytest.mark.usefixtures("toy")
def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownModel, match="Did you mean 'toy'"):
        find("tyo")
    with pytest.raises(UnknownModel, match="Did you mean 'toy'"):
        pull("tooy")


def test_an_sdist_gives_the_member_and_its_setup_is_never_run(shelf: Shelf, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    setup = f"open({str(ran)!r}, 'w')".encode()
    archive = sdist("toy_weights-1.0.0", {"setup.py": setup, "toy/net.onnx": NET})
    shelf.publish("toy-weights", "toy_weights-1.0.0.tar.gz", archive)
    shelf.list("toy", PACKAGE | {"archive": "sdist"}, NET)
    assert pull("toy").path.read_bytes() == NET
    assert not ran.exists()


def test_another_file_under_the_same_name_is_refused_and_thrown_away(toy: Shelf) -> None:
    toy.list("toy", PACKAGE, NET[::-1])
    with pytest.raises(WrongWeights, match=r"net\.onnx, brought for 'toy', does not have the SHA-256"):
        pull("toy")
    assert leftovers(toy) == []
    with pytest.raises(MissingWeights):
        find("toy")


def test_a_blob_of_another_size_is_an_error_and_pulling_mends_it(toy: Shelf, by_hand: str) -> None:
    pull("toy", by_hand).path.write_bytes(NET[:100])
    with pytest.raises(DamagedWeights, match=r"has 100 bytes where 10,240 were put. Run `sluice models pull toy`"):
        find("toy")
    assert pull("toy", by_hand).path.read_bytes() == NET
    (toy.cache / "names" / "toy.json").write_text("{")
    with pytest.raises(DamagedWeights, match="`sluice models pull toy`"):
        find("toy")
    assert pull("toy", by_hand).path.read_bytes() == NET


@pytest.mark.usefixtures("toy")
def test_finding_does_not_hash(by_hand: str) -> None:
    pull("toy", by_hand).path.write_bytes(NET[::-1])
    assert find("toy").digest == hashlib.sha256(NET).hexdigest()


@pytest.mark.parametrize("where", ["same", "other"])
def test_pulling_looks_at_every_byte_and_mends(toy: Shelf, by_hand: str, where: str) -> None:
    place = pull("toy", by_hand).path
    place.write_bytes(NET[::-1])
    assert pull("toy", by_hand if where == "same" else None).path.read_bytes() == NET
    assert find("toy").path == place
    assert leftovers(toy) == []


@pytest.mark.usefixtures("toy")
def test_what_is_here_is_not_pulled(by_hand: str) -> None:
    with pytest.raises(WrongWeights, match=r"by-hand' is here, and there is nothing to pull"):
        pull(by_hand)


@pytest.mark.usefixtures("toy")
def test_local_files_and_folders_are_found_by_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "model.safetensors").write_bytes(b"weights")
    file = find(str(mine / "model.safetensors"))
    assert (file.path, file.digest, file.info) == (
        mine / "model.safetensors",
        hashlib.sha256(b"weights").hexdigest(),
        None,
    )
    before = find(str(mine)).digest
    assert find(str(mine)).digest == before
    (mine / "model.safetensors").write_bytes(b"weighty")
    assert find(str(mine)).digest != before


def test_the_pointer_says_where_it_came_from(toy: Shelf) -> None:
    pull("toy")
    assert json.loads((toy.cache / "names" / "toy.json").read_text())["origin"] == "wheel toy-weights 1.0.0"
