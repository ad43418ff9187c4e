from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from sluice.preprocess.shards import LARGEST_FIELD, ShardError, join, read_shard, write_shard

RECORDS = [("0a", {"jpg": b"image", "txt": b""}), ("0b", {"txt": b"words", "jpg": b"x" * 600})]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = write_shard(tmp_path / "a.tar", RECORDS)
    data = (tmp_path / "a.tar").read_bytes()
    assert list(read_shard(io.BytesIO(data))) == [(k, dict(sorted(f.items()))) for k, f in RECORDS]
    assert written.records == 2
    assert written.size == len(data)
    assert written.digest == hashlib.sha256(data).hexdigest()
    assert written.field_bytes == {"jpg": 605, "txt": 5}


def test_bytes_depend_on_nothing_but_the_records(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", RECORDS)
    write_shard(tmp_path / "b.tar", [(k, dict(reversed(f.items()))) for k, f in RECORDS])
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_pythons_own_tar_reader_agrees(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", RECORDS)
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert tar.getnames() == ["0a.jpg", "0a.txt", "0b.jpg", "0b.txt"]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o644)}


def test_headers_are_those_of_pythons_own_tar_writer(tmp_path: Path) -> None:
    fields = {"jpg": b"x" * 70_000, "txt": b"", "ünlaut.json": b"{}"}
    write_shard(tmp_path / "ours.tar", [("0123456789abcdef", fields)])
    with tarfile.open(tmp_path / "theirs.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(fields.items()):
            member = tarfile.TarInfo(f"0123456789abcdef.{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    ours, theirs = ((tmp_path / name).read_bytes() for name in ("ours.tar", "theirs.tar"))
    assert theirs.startswith(ours)  # theirs goes on with zeros up to a whole tape record


def test_a_name_that_no_tar_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="longer than the 100 bytes"):
        write_shard(tmp_path / "a.tar", [("0a", {"x" * 98: b""})])


def test_a_field_that_no_reader_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="more than the 1073741824 that a field may have"):
        write_shard(tmp_path / "a.tar", [("0a", {"npy": bytes(LARGEST_FIELD + 1)})])


def test_keys_out_of_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="'0a' came after '0b'"):
        write_shard(tmp_path / "a.tar", reversed(RECORDS))


def test_only_the_fields_asked_for_are_kept(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", RECORDS)
    with (tmp_path / "a.tar").open("rb") as stream:
        assert list(read_shard(stream, {"txt"})) == [("0a", {"txt": b""}), ("0b", {"txt": b"words"})]


def test_a_cut_tar_is_an_error(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", RECORDS)
    data = (tmp_path / "a.tar").read_bytes()
    with pytest.raises(ShardError, match="not a whole tar"):
        list(read_shard(io.BytesIO(data[:1100])))


@pytest.mark.parametrize("size", [-1, -512, 1 << 31, 1 << 62])
def test_a_size_that_no_field_has_is_refused(tmp_path: Path, size: int) -> None:
    header = bytearray(tarfile.TarInfo("0a.jpg").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (b"\xff" if size < 0 else b"\x80") + size.to_bytes(11, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(header)
    with (tmp_path / "a.tar").open("rb") as stream, pytest.raises(ShardError, match=f"it: '0a.jpg' has {size} bytes"):
        list(read_shard(stream, None, "it"))


def test_a_name_that_is_not_utf8_is_refused() -> None:
    header = tarfile.TarInfo("0a.caf\udce9").tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(ShardError, match="not a whole tar"):
        list(read_shard(io.BytesIO(header)))


def test_a_link_is_refused() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        link = tarfile.TarInfo("0a.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(ShardError, match="not a record's field"):
        list(read_shard(io.BytesIO(stream.getvalue())))


def test_join_keeps_what_every_shard_has() -> None:
    a = [("1", {"x": b"1"}), ("2", {"x": b"2"}), ("4", {"x": b"4"})]
    b = [("2", {"y": b"2"}), ("3", {"y": b"3"}), ("4", {"y": b"4"})]
    assert list(join([iter(a), iter(b)])) == [("2", {"x": b"2", "y": b"2"}), ("4", {"x": b"4", "y": b"4"})]
    assert list(join([iter(a)])) == a
    assert list(join([iter(a), iter([])])) == []
