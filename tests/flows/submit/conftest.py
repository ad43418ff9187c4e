"""A real Ray cluster on loopback that asks for a token, of two nodes."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner, Result

from sluice.flows.cli import app
from tests.flows.conftest import write_pictures

SECONDS = 120
CONFIG = "name: made\nsource: {kind: folder}\nstages: {image: {size: 64, min_side: 16}, canny: {}}\n"


@dataclass(frozen=True)
class Head:
    """A running cluster: where its dashboard is, its token, and what all its machines see."""

    address: str
    token: str
    shared: Path
    session: Path


@pytest.fixture(scope="session")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """Two raylets that another process started, and nobody else's."""
    folder = tmp_path_factory.mktemp("cluster")
    token = secrets.token_hex(16)
    (folder / "token").write_text(token)
    (folder / "token").chmod(0o600)
    port, dashboard = _free(), _free()
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    own = ["--node-ip-address=127.0.0.1", "--block", "--disable-usage-stats", "--num-cpus=1"]
    # Ray's own agent port is taken where another Ray runs on this machine, and then no job is taken.
    agents = [f"--dashboard-agent-listen-port={_free()}" for _ in range(2)]
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as session:  # a socket's path may not be long
        # Each node has a folder of its own: what travelled is deleted where one that shares it needs it no more.
        first = ["--head", f"--port={port}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
        nodes = [_start([*first, *own, agents[0], f"--temp-dir={session}/head"], environment, folder / "head.log")]
        try:
            _wait(dashboard, nodes[0], folder / "head.log")
            nodes.append(
                _start(
                    [f"--address=127.0.0.1:{port}", *own, agents[1], f"--temp-dir={session}/node"],
                    environment,
                    folder / "node.log",
                )
            )
            (folder / "shared").mkdir()
            yield Head(f"http://127.0.0.1:{dashboard}", token, folder / "shared", Path(session))
        finally:
            for node in nodes:
                _kill(node)


@pytest.fixture
def sluice(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line, to which the cluster is known as `here`."""
    listed = tmp_path / "clusters.yaml"
    listed.write_text(
        f"here: {{address: '{head.address}', token: {head.shared.parent}/token, shared: [{head.shared}]}}"
    )
    monkeypatch.setenv("SLUICE_CLUSTERS", str(listed))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def pictures(head: Head) -> Path:
    """A source that the cluster sees."""
    write_pictures(head.shared / "pictures", range(6))
    return head.shared / "pictures"


@pytest.fixture
def build(head: Head, pictures: Path, tmp_path: Path) -> list[str | Path]:
    """A build whose configuration is on this machine alone."""
    (tmp_path / "made.yaml").write_text(CONFIG)
    return ["dataset", "build", "-c", tmp_path / "made.yaml", "--source", pictures, "--out", head.shared / "out"]


def _start(words: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    ray = str(Path(sys.executable).with_name("ray"))
    with log.open("wb") as said:
        return subprocess.Popen(
            [ray, "start", *words], env=environment, stdout=said, stderr=said, start_new_session=True
        )


def _kill(node: subprocess.Popen[bytes]) -> None:
    """With all that it started: what is of a test need not end in order."""
    with suppress(psutil.NoSuchProcess):
        for process in [*psutil.Process(node.pid).children(recursive=True), psutil.Process(node.pid)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    node.wait()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.5)
    raise AssertionError(f"the cluster did not start: {log.read_text()[-2000:]}")
