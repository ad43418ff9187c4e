"""What is said of a Ray cluster that does not let this process in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ANOTHER = """
import sys
from ray._private import utils
from ray.scripts.scripts import main
own = utils.compute_version_info()
utils.compute_version_info = lambda: (own[0], "3.99.0", *own[2:])
sys.argv = ["ray", "start", "--head", "--block", "--disable-usage-stats", "--node-ip-address=127.0.0.1", *sys.argv[1:]]
main()
"""
JOIN = """
import sys
from sluice.flows.reach import NoCluster
from sluice.flows.session import ray_session
try:
    with ray_session(sys.argv[1], 1):
        print("joined")
except NoCluster as error:
    print(error)
"""


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two tokens, of which the cluster has `own`."""
    folder = tmp_path_factory.mktemp("tokens")
    for name in ("own", "other"):
        (folder / name).write_text(name * 8)
    return folder


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Two that are free."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(tokens: Path, ports: tuple[int, int]) -> Iterator[str]:
    """Where one is whose Python is another, and which asks for a token."""
    port, clients = ports
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tokens / "own")}
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as session:  # a socket's path may not be long
        told = [
            f"--port={port}",
            f"--ray-client-server-port={clients}",
            f"--temp-dir={session}",
            "--num-cpus=1",
            "--include-dashboard=false",
        ]
        head = subprocess.Popen(
            [sys.executable, "-c", ANOTHER, *told], env=environment, stdout=subprocess.PIPE, start_new_session=True
        )
        assert head.stdout is not None
        assert any(b"Ray runtime started" in line for line in head.stdout)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(head.pid, 9)
            head.wait()


def joined(address: str, **environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", JOIN, address],
        env={**own, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def test_another_python_there_is_named(cluster: str, tokens: Path) -> None:
    said = joined(cluster, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(tokens / "own"))
    assert f"the cluster at {cluster} is of another version" in said
    assert "Python: 3.99.0" in said


@pytest.mark.parametrize(("token", "client"), [("other", False), (None, False), ("other", True)])
def test_a_token_that_is_not_the_clusters_or_none_is_said_at_once(
    cluster: str, ports: tuple[int, int], tokens: Path, tmp_path: Path, token: str | None, client: bool
) -> None:
    address = f"ray://127.0.0.1:{ports[1]}" if client else cluster
    home = {"HOME": str(tmp_path)}
    asked = {} if token is None else {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tokens / token)}
    began = time.monotonic()
    said = joined(address, **home, **asked)
    assert time.monotonic() - began < 60, "Ray itself tries for two minutes"
    assert f"the cluster at ray_address = {address} asks for a token" in said
    assert "Set RAY_AUTH_MODE=token" in said
    assert "otherother" not in said


@pytest.mark.parametrize("address", ["its", "local"])
def test_a_token_that_cannot_be_read_is_named(cluster: str, tmp_path: Path, address: str) -> None:
    (tmp_path / "empty").touch()
    said = joined(
        cluster if address == "its" else address,
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN_PATH=f"{tmp_path}/empty",
    )
    assert f"RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty: {tmp_path}/empty. Put" in said


def test_what_is_no_cluster_is_said_to_be_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        assert f"what answers at ray_address = {address} is no Ray cluster" in joined(address)
