"""A folder that is full, or that one may not read or write."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.conftest import run_code

FILL = """
import resource, sys
from pathlib import Path
from sluice.infra.local import LocalStorage
from sluice.infra.storage import NoSpace
root, limit, local = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
local.write_bytes(bytes(3_000_000))
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
storage = LocalStorage(root)
storage.write("kept", b"kept")
for put in (lambda: storage.write("deep/big", bytes(3_000_000)), lambda: storage.upload("deep/big", local)):
    try:
        put()
    except NoSpace as error:
        print(error)
assert [e.path for e in storage.list()] == ["kept"]
"""


def no_space_messages(root: Path, limit: int, local: Path) -> list[str]:
    done = run_code(FILL, str(root), str(limit), str(local))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in root.rglob("*") if path.is_file()] == ["kept"]
    return done.stdout.splitlines()


def test_a_file_size_limit_is_no_space(root: Path, elsewhere: Path) -> None:
    messages = no_space_messages(root, limit=1_000_000, local=elsewhere)
    assert len(messages) == 2
    assert all(str(root / "deep/big") in message and "ulimit -f" in message for message in messages)


@pytest.fixture
def small_disk(root: Path) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"FULL DISK NOT TESTED: a small tmpfs cannot be mounted here ({mounted.stderr.strip()})")
    yield root
    subprocess.run(["umount", str(root)], check=True)


def test_a_full_disk_is_no_space(small_disk: Path) -> None:
    messages = no_space_messages(small_disk, limit=0, local=small_disk.parent / "local")
    assert len(messages) == 2
    assert all("the disk is full" in message and "it resumes" in message for message in messages)


DENIED = """
import os, sys
from sluice.infra.local import LocalStorage
from sluice.infra.storage import PermissionDenied
if os.geteuid() == 0:
    os.seteuid(65534)
storage = LocalStorage(sys.argv[1])
attempts = [lambda: storage.read("locked"), lambda: storage.write("new", b"x"), lambda: [*storage.list("shut/")]]
for attempt in [*attempts, lambda: storage.delete(["locked"])]:
    try:
        attempt()
    except PermissionDenied as error:
        print(error)
"""


def test_what_permissions_forbid_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        root = Path(folder)
        (root / "locked").write_bytes(b"x")
        (root / "shut").mkdir()
        for path, mode in ((root / "locked", 0), (root / "shut", 0), (root, 0o555)):
            path.chmod(mode)
        messages = run_code(DENIED, folder).stdout.splitlines()
        root.chmod(0o755)
        (root / "shut").chmod(0o755)
    started = [f"{root}/locked could not be read", f"{root}/new could not be written"]
    started += [f"{root}/shut could not be listed", f"{root}/locked could not be deleted"]
    assert [message.split(":")[0] for message in messages] == started
