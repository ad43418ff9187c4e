"""A Prefect server with its services, and somebody who is told of failures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest


class Told:
    """A server on loopback that keeps what is posted to it."""

    def __init__(self, folder: Path) -> None:
        self.texts: list[str] = []
        texts = self.texts

        class Keeps(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                texts.append(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Keeps)
        self.file = folder / "url"
        self.file.write_text(f"http://127.0.0.1:{self.server.server_port}/a-secret-path")
        self.file.chmod(0o600)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    teller = Told(tmp_path)
    yield teller
    teller.server.shutdown()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the user's own Prefect is seen or changed."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return tmp_path


def until(holds: Callable[[], object], seconds: float = 240) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.5)
