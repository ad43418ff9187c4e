from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluice.infra.catalogue import UnknownModel
from sluice.infra.download import NoSpace
from sluice.infra.models import DamagedWeights, MissingWeights, WrongWeights, find, pull
from sluice.infra.origins import NotThere
from sluice.infra.storage import storage
from sluice.infra.weight_store import UnusableCache, WeightStore
from tests.faults.servers import S3Server
from tests.shelf import PACKAGE, Shelf, sdist, wheel

NET = bytes(range(256)) * 40


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(tmp_path, monkeypatch)


@pytest.fixture
def toy(shelf: Shelf) -> Shelf:
    """A shelf with the model `toy` in a wheel."""
    shelf.publish("toy-weights", "toy_weights-1.0.0-py3-none-any.whl", wheel({"toy/net.onnx": NET, "toy/x.py": b"1/0"}))
    shelf.list("toy", PACKAGE, NET)
    return shelf


@pytest.fixture
def by_hand(tmp_path: Path) -> str:
    """A folder with `toy`'s file."""
    (tmp_path / "by-hand").mkdir()
    (tmp_path / "by-hand" / "net.onnx").write_bytes(NET)
    return str(tmp_path / "by-hand")


def leftovers(shelf: Shelf) -> list[str]:
    return [p.name for p in (shelf.cache / "partial").iterdir() if p.suffix != ".lock"]


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


def test_a_model_larger_than_the_disk_is_refused_before_anything_is_fetched(toy: Shelf) -> None:
    toy.list("toy", PACKAGE | {"package": "never-asked-for"}, size=10**18)
    with pytest.raises(NoSpace, match=r"toy needs .* MB on the disk of .*SLUICE_MODELS"):
        pull("toy")


def test_two_processes_that_pull_at_once_both_find_it(toy: Shelf) -> None:
    code = (
        "import sys; from pathlib import Path; from sluice.infra import catalogue;"
        f"catalogue.CATALOGUE = Path({str(toy.file)!r}); from sluice.infra.models import pull;"
        "assert pull('toy').path.exists()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert leftovers(toy) == []


def test_a_waiting_pull_takes_what_the_other_brought(toy: Shelf) -> None:
    store = WeightStore(toy.cache)
    with ThreadPoolExecutor(1) as pool, store.workplace("toy") as workplace:
        waiting = pool.submit(pull, "toy", str(toy.cache / "no-such-folder"))
        time.sleep(0.1)
        assert not waiting.done()
        (workplace / "net.onnx").write_bytes(NET)
        store.put("toy", workplace / "net.onnx", hashlib.sha256(NET).hexdigest(), "test")
    assert waiting.result().path.read_bytes() == NET


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder that everyone may enter, and the rights of nobody in particular when the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    os.seteuid(os.getuid())
    shutil.rmtree(folder)


def test_a_read_only_cache_serves_and_says_that_it_cannot_take(
    toy: Shelf, by_hand: str, ordinary_user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull("toy", by_hand)
    toy.list("other", PACKAGE, NET)
    shared = ordinary_user / "cache"
    shutil.copytree(toy.cache, shared)
    for folder in (shared, *(p for p in shared.rglob("*") if p.is_dir())):
        folder.chmod(0o555)
    monkeypatch.setenv("SLUICE_MODELS", str(shared))
    find("toy")  # reads the catalogue while it may
    if os.getuid() == 0:
        os.seteuid(65534)
    assert find("toy").path.read_bytes() == NET
    with pytest.raises(UnusableCache, match=r"could not take 'other': Permission denied. Set SLUICE_MODELS"):
        pull("other")
    os.seteuid(os.getuid())
    shared.chmod(0o755)


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


def test_the_pointer_says_where_it_came_from(toy: Shelf) -> None:
    pull("toy")
    assert json.loads((toy.cache / "names" / "toy.json").read_text())["origin"] == "wheel toy-weights 1.0.0"
