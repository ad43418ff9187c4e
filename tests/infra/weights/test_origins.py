from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import constants

from sluice.infra.storage import storage
from sluice.infra.weights.download import Unreachable
from sluice.infra.weights.models import find, pull
from sluice.infra.weights.origins import NotThere
from tests.shelf import PACKAGE, Shelf

COMMIT = "0123456789" * 4
FILES = {"config.json": b"{}", "model.safetensors": b"weights", "README.md": b"not wanted"}
HUB = {"hub": "someone/depth", "files": {"config.json": None, "*.safetensors": None}}


class Hub(BaseHTTPRequestHandler):
    """What a snapshot asks: which commit a revision is, what it holds, and its files."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/someone/depth/tree/"):
            data = json.dumps(
                [{"type": "file", "path": n, "size": len(d), "oid": COMMIT} for n, d in FILES.items()]
            ).encode()
        elif path.startswith("/api/models/someone/depth/"):
            listed = [{"rfilename": name} for name in FILES]
            data = json.dumps({"id": "someone/depth", "sha": COMMIT, "siblings": listed}).encode()
        elif path.startswith(f"/someone/depth/resolve/{COMMIT}/"):
            data = FILES[path.rpartition("/")[2]]
        else:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.end_headers()
        if body:
            self.wfile.write(data)
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield address
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("hub")
def test_a_snapshot_holds_the_wanted_files_alone(shelf: Shelf) -> None:
    shelf.list("depth", HUB, form="folder")
    found = pull("depth")
    assert {p.name: p.read_bytes() for p in found.path.iterdir() if not p.name.startswith(".")} == {
        "config.json": b"{}",
        "model.safetensors": b"weights",
    }
    assert find("depth") == found


@pytest.mark.usefixtures("hub")
def test_a_repository_without_a_wanted_file_is_told(shelf: Shelf) -> None:
    shelf.list("depth", HUB | {"files": {"config.json": None, "tokenizer.json": None}}, form="folder")
    with pytest.raises(NotThere, match=r"someone/depth does not hold tokenizer\.json"):
        pull("depth")


@pytest.mark.usefixtures("hub")
def test_an_absent_repository_is_told_with_the_way_out(shelf: Shelf) -> None:
    shelf.list("depth", HUB | {"hub": "someone/else"}, form="folder")
    with pytest.raises(Unreachable, match=r"someone/else.*404.*`sluice models pull depth --from FOLDER`"):
        pull("depth")


def test_copying_goes_on_with_the_same_file_and_not_with_another(shelf: Shelf, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    (source / "net.onnx").write_bytes(b"0123456789")
    shelf.list("toy", PACKAGE, b"0123456789")
    stamp = next(storage(source).list()).stamp
    copied = shelf.cache / "partial" / "toy" / "copied"
    copied.mkdir(parents=True)
    (copied / f"net.onnx.{hashlib.sha256(stamp.encode()).hexdigest()[:12]}.part").write_bytes(b"01234")
    (copied / f"net.onnx.{'0' * 12}.part").write_bytes(b"another")
    seen: list[int] = []
    assert pull("toy", str(source), lambda done, _: seen.append(done)).path.read_bytes() == b"0123456789"
    assert seen == [10]
