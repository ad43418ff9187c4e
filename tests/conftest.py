"""For every test: Ctrl-C, two real S3 servers and a proxy that misbehaves, the servers started when first asked for."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import servers
from tests.faults.proxy import FaultProxy
from tests.faults.servers import S3Server


@pytest.fixture(scope="session", autouse=True)
def hears_ctrl_c() -> Iterator[None]:
    """In the background of a shell script Ctrl-C is ignored, and what we start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[S3Server]:
    """`endpoint`, `environment` (variables for a process that uses it) and `new_bucket()`."""
    with servers.moto() as server:
        yield server


@pytest.fixture(scope="session")
def rclone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where rclone keeps its buckets, as folders of real files."""
    return tmp_path_factory.mktemp("rclone")


@pytest.fixture(scope="session")
def rclone_server(rclone_folder: Path) -> Iterator[S3Server]:
    """Like `moto_server`, with real files on disk and checked signatures."""
    with servers.rclone(rclone_folder) as server:
        yield server


@pytest.fixture(scope="session")
def fault_proxy(rclone_server: S3Server) -> Iterator[FaultProxy]:
    """A misbehaving proxy before rclone: `with fault_proxy.dealing(seeded(0.2, seed=1)): ...`, then its `counts`."""
    proxy = FaultProxy(rclone_server)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def moto_fault_proxy(moto_server: S3Server) -> Iterator[FaultProxy]:
    """The same before moto."""
    proxy = FaultProxy(moto_server)
    yield proxy
    proxy.close()
