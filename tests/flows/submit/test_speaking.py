"""What answers at a cluster's address, and is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.speaking import NoSuchCluster, client_of, speaking


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The address of a server that always says the same."""

    class Same(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Same) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b""), (404, b"no such page"), (500, b"broken"), (200, b"<html>"), (200, b"{}"), (200, b"[]")],
)
def test_a_server_that_is_no_dashboard_is_told_as_such(status: int, body: bytes) -> None:
    with answering(status, body) as address:
        cluster = Cluster(address=address, token=None)
        with (
            pytest.raises(NoSuchCluster, match=f"who answers at {address} is no Ray dashboard .*8265"),
            speaking(cluster),
        ):
            client_of(cluster)
