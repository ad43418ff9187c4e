"""What only a local folder has: links, odd names, full disks, permissions, crashes in the middle of a write."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from sluice.infra.local import TEMPORARY, LocalStorage
from sluice.infra.storage import MissingFile, StorageError, storage
from tests.infra.conftest import run_code


def test_links_that_leave_the_root_are_marked(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "real").write_bytes(b"real")
    (root / "folder").mkdir()
    (root / "folder" / "up").symlink_to("../real")
    (root / "again").symlink_to("folder")
    (root / "file").symlink_to(outside / "secret")
    (root / "all").symlink_to(outside)
    (root / "nothing").symlink_to(root / "gone")
    (root / "self").symlink_to("self")
    local = LocalStorage(root)
    found = {entry.path: entry.outside for entry in local.list()}
    assert found == {
        "all": True, "file": True, "folder/up": False, "nothing": False, "real": False, "self": False,
    }  # fmt: skip
    assert {path: local.head(path).outside for path in found} == found  # type: ignore[union-attr]
    assert local.head("all/secret").outside  # type: ignore[union-attr]
    assert [(entry.path, entry.outside) for entry in local.list("all/")] == [("all/secret", True)]
    for broken in ("nothing", "self"):
        with pytest.raises(MissingFile):
            local.read(broken)


def test_a_root_reached_through_a_link_is_inside(root: Path) -> None:
    (root / "a").write_bytes(b"")
    (root.parent / "link").symlink_to(root)
    assert [entry.outside for entry in LocalStorage(root.parent / "link").list()] == [False]


@pytest.mark.parametrize("name", [b"new\nline", b"tab\t", "日本".encode(), b"not utf-8 \xff\xfe", b"*?[x]", b" "])
def test_odd_names_work(root: Path, name: bytes) -> None:
    path = os.fsdecode(name)
    local = LocalStorage(root)
    local.write(f"{path}/{path}", b"x")
    assert [entry.path for entry in local.list()] == [f"{path}/{path}"]
    assert local.read(f"{path}/{path}") == b"x"
    local.delete([f"{path}/{path}"])
    assert not [*local.list()]


def test_pipes_and_folders_are_no_files(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "empty").mkdir()
    local = LocalStorage(root)
    assert [*local.list()] == []
    assert local.head("pipe") is None
    assert local.head("empty") is None


def test_a_name_that_no_file_can_have_is_of_no_file(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    for path in ("x" * 300, "loop/a"):
        assert LocalStorage(root).head(path) is None
        with pytest.raises(MissingFile):
            LocalStorage(root).read(path)


def test_a_stamp_changes_with_the_content(root: Path) -> None:
    local = LocalStorage(root)
    local.write("a", b"one")
    os.utime(root / "a", ns=(0, 1_000_000_001))
    assert local.head("a").stamp == "1000000001-3"  # type: ignore[union-attr]


def test_a_relative_root_stays_where_it_was(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    local = LocalStorage(Path("root"))
    monkeypatch.chdir("/")
    local.write("a", b"x")
    assert (root / "a").read_bytes() == b"x"


def test_a_file_for_a_root_is_explained(root: Path) -> None:
    (root / "a").write_bytes(b"")
    with pytest.raises(StorageError, match="is a file where a folder is expected"):
        [*storage(root / "a").list()]
    with pytest.raises(StorageError, match="a/b could not be written"):
        storage(root / "a").write("b", b"")


def test_readers_see_the_old_file_or_the_new(root: Path) -> None:
    local = LocalStorage(root)
    contents = [bytes([n]) * 300_000 for n in range(2)]
    local.write("a", contents[0])
    done = threading.Event()

    def keep_writing() -> None:
        for n in range(60):
            local.write("a", contents[n % 2])
        done.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    while not done.is_set():
        assert local.read("a") in contents
        assert [entry.path for entry in local.list()] == ["a"]
    writer.join()


def test_an_upload_on_the_same_disk_copies_nothing(root: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.tar"
    made.write_bytes(b"tar")
    LocalStorage(root).upload("deep/a.tar", made)
    assert (root / "deep" / "a.tar").stat().st_ino == made.stat().st_ino
    made.unlink()
    assert LocalStorage(root).fetch("deep/a.tar", tmp_path).read_bytes() == b"tar"


def test_an_upload_from_another_disk_copies(root: Path, elsewhere: Path) -> None:
    elsewhere.write_bytes(b"tar")
    LocalStorage(root).upload("a.tar", elsewhere)
    elsewhere.write_bytes(b"another")
    assert (root / "a.tar").read_bytes() == b"tar"


def test_a_killed_writer_leaves_nothing_to_see(root: Path) -> None:
    (root / "a").write_bytes(b"old")
    code = f"""
import os, signal
from sluice.infra.local import LocalStorage
with LocalStorage({str(root)!r})._replacing("a", 10) as file:
    file.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_code(code).returncode == -signal.SIGKILL
    local = LocalStorage(root)
    assert [entry.path for entry in local.list()] == ["a"]
    assert local.read("a") == b"old"
    left = [*root.glob(TEMPORARY + "*")]
    assert len(left) == 1
    assert local.sweep(older_than_s=3600) == 0
    os.utime(left[0], (0, 0))
    assert local.sweep(older_than_s=3600) == 1
    assert [*root.iterdir()] == [root / "a"]


def test_a_writer_that_is_done_meanwhile_ends_no_sweep(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed, at_work = root / f"{TEMPORARY}a", root / f"{TEMPORARY}b"
    for file in (crashed, at_work):
        file.touch()
        os.utime(file, (0, 0))
    found = sorted(root.rglob(TEMPORARY + "*"), reverse=True)
    at_work.rename(root / "made")
    monkeypatch.setattr(Path, "rglob", lambda *_: iter(found))
    assert LocalStorage(root).sweep(older_than_s=3600) == 1
    assert [*root.iterdir()] == [root / "made"]
