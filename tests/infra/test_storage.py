"""One contract for every storage: what is written is read, listed and deleted, faults or not."""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from sluice.infra.local import LocalStorage
from sluice.infra.s3.bucket import MULTIPART_ABOVE, READ_AHEAD, S3Storage
from sluice.infra.storage import MissingFile, Storage, StorageError, storage

# In the order of their bytes: "." and "-" come before "/", capitals before small letters, ASCII before the rest.
NAMES = ("A", "a b+%&=?.txt", "a-b/c", "a.txt", "a/b", "a/b.c/d", "a/bb/c", "a/é", "ab", "日本/x")


@cache
def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_reads_back_what_was_written(place: Storage) -> None:
    for name, data in zip(NAMES, (b"", b"x", *map(noise, range(100, 800, 100))), strict=False):
        place.write(name, data)
        assert place.read(name) == data


def test_a_second_write_replaces_the_first(place: Storage) -> None:
    place.write("a", b"one")
    before = place.head("a")
    place.write("a", b"three")
    after = place.head("a")
    assert place.read("a") == b"three"
    assert before is not None
    assert after is not None
    assert (before.size, after.size) == (3, 5)
    assert before.stamp != after.stamp


def test_ranges_end_where_the_file_ends(place: Storage) -> None:
    place.write("a", b"0123456789")
    assert place.read_range("a", 3, 4) == b"3456"
    assert place.read_range("a", 8, 100) == b"89"
    assert place.read_range("a", 100, 5) == b""
    assert place.read_range("a", 3, 0) == b""


def test_a_missing_file_is_named(place: Storage) -> None:
    assert place.head("no/such") is None
    assert [*place.list()] == []
    place.write("no/other", b"")
    assert place.head("no") is None
    ranges = (lambda path: place.read_range(path, 0, 5), lambda path: place.read_range(path, 0, 0))
    for read in (place.read, place.open, *ranges):
        with pytest.raises(MissingFile, match=f"{place.uri}/no/such"):
            read("no/such")
        with pytest.raises(MissingFile):
            read("no")


def test_lists_in_the_order_of_bytes(place: Storage) -> None:
    for name in random.Random(0).sample(NAMES, len(NAMES)):
        place.write(name, name.encode())
    entries = [*place.list()]
    assert [entry.path for entry in entries] == list(NAMES)
    assert [entry.size for entry in entries] == [len(name.encode()) for name in NAMES]
    assert entries == [place.head(name) for name in NAMES]


def test_lists_by_prefix(place: Storage) -> None:
    for name in NAMES:
        place.write(name, b"")
    for prefix in ("a", "a/", "a/b", "a/b.c/", "a/b.c/d", "b", "a/b/c/"):
        assert [entry.path for entry in place.list(prefix)] == [name for name in NAMES if name.startswith(prefix)]


def test_names_the_folders_under_a_prefix(place: Storage) -> None:
    assert [*place.folders()] == []
    for name in NAMES:
        place.write(name, b"")
    assert [*place.folders()] == ["a-b", "a", "日本"]
    assert [*place.folders("a")] == ["b.c", "bb"]
    assert [*place.folders("ab")] == []


def test_a_place_where_no_writer_crashed_has_nothing_to_sweep(place: Storage) -> None:
    place.write("a", b"whole")
    assert place.sweep(0) == 0
    assert place.read("a") == b"whole"


def test_a_file_says_when_it_was_written(place: Storage) -> None:
    began = time.time()
    place.write("a", b"")
    (listed,), head = place.list(), place.head("a")
    assert head is not None
    assert all(began - 2 < entry.modified < time.time() + 2 for entry in (listed, head))


def test_deletes_what_is_there(place: Storage) -> None:
    for name in NAMES:
        place.write(name, b"x")
    place.delete(["gone", *NAMES[3:], "a/b"])
    assert [entry.path for entry in place.list()] == list(NAMES[:3])
    place.delete([])


def test_opens_a_seekable_reader(place: Storage) -> None:
    data = noise(READ_AHEAD + 1_000_000)
    place.write("a", data)
    with place.open("a") as file:
        assert file.read(10) == data[:10]
        assert file.seek(-5, io.SEEK_END) == len(data) - 5
        assert file.read() == data[-5:]
        assert file.read(1) == b""
        file.seek(READ_AHEAD - 3)
        assert file.read(6) == data[READ_AHEAD - 3 : READ_AHEAD + 3]
        file.seek(-6, io.SEEK_CUR)
        assert file.tell() == READ_AHEAD - 3
        file.seek(0)
        assert file.read() == data


def test_a_tar_is_read_through_the_reader(place: Storage) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for number in range(30):
            member = tarfile.TarInfo(f"{number}.txt")
            member.size = number * 1000
            tar.addfile(member, io.BytesIO(noise(member.size)))
    place.write("a.tar", stream.getvalue())
    with place.open("a.tar") as file, tarfile.open(fileobj=file, mode="r:") as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert contents == {f"{number}.txt": noise(number * 1000) for number in range(30)}


def test_uploads_a_local_file(place: Storage, tmp_path: Path) -> None:
    for size in (0, 5, MULTIPART_ABOVE + 1_000_001):
        local = tmp_path / "local"
        local.write_bytes(noise(size))
        place.upload("deep/a", local)
        assert hashlib.sha256(place.read("deep/a")).digest() == hashlib.sha256(noise(size)).digest()
        assert [(entry.path, entry.size) for entry in place.list()] == [("deep/a", size)]


def test_uploading_a_missing_file_names_it(place: Storage, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="not-here"):
        place.upload("a", tmp_path / "not-here")


def test_threads_share_a_storage(place: Storage) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: place.write(f"{n:02d}", noise(n)), range(40)))
        read = list(threads.map(place.read, (f"{n:02d}" for n in range(40))))
    assert read == [noise(n) for n in range(40)]
    assert [entry.size for entry in place.list()] == list(range(40))


def test_a_pickled_storage_goes_on_working(place: Storage) -> None:
    place.write("a", b"x")
    other = pickle.loads(pickle.dumps(place))
    assert other.uri == place.uri
    assert other.retries == 0


def test_refuses_paths_that_leave_it(place: Storage) -> None:
    for path in ("", "/etc/passwd", "../a", "a/../../b", "a/..", "a\0b"):
        with pytest.raises(StorageError, match="is not a path inside"):
            place.write(path, b"x")
        with pytest.raises(StorageError, match="is not a path inside"):
            place.read(path)


def test_a_uri_says_which_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage("photos").uri == str(tmp_path / "photos")
    assert isinstance(storage(tmp_path), LocalStorage)
    s3 = storage("s3://bucket/a/b/")
    assert isinstance(s3, S3Storage)
    assert (s3.bucket, s3.prefix, s3.uri) == ("bucket", "a/b", "s3://bucket/a/b")
    assert storage("s3://bucket").uri == "s3://bucket"


@pytest.mark.parametrize(
    "uri", ["file:///data", "gs://bucket", "http://host/x", "s3:///x", "s3:/bucket/x", "s3://", ""]
)
def test_other_uris_are_refused_by_what_is_accepted(uri: str) -> None:
    with pytest.raises(StorageError, match=r"give a folder's path .* or s3://bucket/prefix"):
        storage(uri)


def test_errors_are_pickled_whole() -> None:
    error = pickle.loads(pickle.dumps(MissingFile("s3://bucket/a does not exist.")))
    assert isinstance(error, MissingFile)
    assert str(error) == "s3://bucket/a does not exist."
