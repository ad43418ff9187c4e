"""Scratch folders: gone with their block, and swept once their process is dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sluice.infra.scratch import YOUNG_SECONDS, scratch_folder

HOLD = "from sluice.infra.scratch import scratch_folder as s\nwith s() as f: print(f, flush=True); input()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TMPDIR of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def grow_old(folder: Path) -> None:
    """As if it had been made long ago."""
    for path in (folder, *folder.iterdir()):
        made = path.stat().st_mtime - 2 * YOUNG_SECONDS
        os.utime(path, (made, made))


def test_a_folder_is_there_for_its_block(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "part.tar").write_bytes(b"half")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_holds_is_not(temporary: Path) -> None:
    holders = [
        subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    ]
    folders = [Path(holder.stdout.readline().decode().strip()) for holder in holders if holder.stdout]
    for folder in folders:
        (folder / "part.tar").write_bytes(b"half")
        grow_old(folder)
    dead, living = holders
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    (temporary / "sluice-data").mkdir()
    grow_old(temporary / "sluice-data")
    with scratch_folder():
        assert [folder.exists() for folder in folders] == [False, True]
    assert (temporary / "sluice-data").exists()
    living.communicate(b"\n")
    assert [path.name for path in temporary.iterdir()] == ["sluice-data"]


def test_a_folder_that_was_just_made_is_left_alone(temporary: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix="sluice-scratch-", dir=temporary))
    (fresh / "lock").touch()
    with scratch_folder():
        assert fresh.exists()
