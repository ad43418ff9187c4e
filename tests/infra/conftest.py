"""A storage of every kind: folders, S3 servers, and these behind the proxy that misbehaves; weights; processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

from sluice.infra.local import LocalStorage
from sluice.infra.s3.bucket import S3Storage
from sluice.infra.s3.faults import Retry
from sluice.infra.storage import Storage
from tests.faults.proxy import FaultProxy, seeded
from tests.faults.servers import S3Server
from tests.shelf import NET, PACKAGE, Shelf, wheel

QUICK = Retry(attempts=12, first_s=0.005, longest_s=0.05)


class MakeS3(Protocol):
    """Makes an empty S3 storage on a server or behind a proxy, with short waits between its attempts."""

    def __call__(self, place: S3Server | FaultProxy, retry: Retry = QUICK, timeout_s: float = 20) -> S3Storage: ...


@cache
def bucket_of(server: S3Server) -> str:
    return server.new_bucket()


@pytest.fixture
def make_s3(monkeypatch: pytest.MonkeyPatch) -> MakeS3:
    def make(place: S3Server | FaultProxy, retry: Retry = QUICK, timeout_s: float = 20) -> S3Storage:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        server = place.server if isinstance(place, FaultProxy) else place
        return S3Storage(bucket_of(server), f"über uns/{uuid.uuid4().hex}", retry, timeout_s)

    return make


@pytest.fixture(params=("local", "moto_server", "rclone_server", "moto_fault_proxy", "fault_proxy"))
def place(request: pytest.FixtureRequest, tmp_path: Path, make_s3: MakeS3) -> Iterator[Storage]:
    """An empty storage. With faults, every fault dealt that needs a retry must have been counted as one."""
    if request.param == "local":
        yield LocalStorage(tmp_path / "root")
        return
    server: S3Server | FaultProxy = request.getfixturevalue(request.param)
    storage = make_s3(server)
    if isinstance(server, S3Server):
        yield storage
        return
    with server.dealing(seeded(0.25, seed=3)):
        yield storage
        assert storage.retries == server.retried


@pytest.fixture(params=("moto_fault_proxy", "fault_proxy"))
def proxy(request: pytest.FixtureRequest) -> FaultProxy:
    """The misbehaving proxy, before one server and before the other."""
    proxy: FaultProxy = request.getfixturevalue(request.param)
    return proxy


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An index, a catalogue and a cache of this test's own."""
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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def elsewhere(root: Path) -> Iterator[Path]:
    """A file's path on another disk than the root's, so that it cannot be linked."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        if os.stat(folder).st_dev == root.stat().st_dev:
            pytest.skip("COPIES BETWEEN DISKS NOT TESTED: /dev/shm is on the disk of the temporary files")
        yield Path(folder) / "file"


def run_code(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Some code in a process of its own."""
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
