from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sluice.infra.weights.download import NoSpace, Opener, Unreachable, fetch, without_credentials
from sluice.infra.weights.pip_settings import PipSettings

DATA = bytes(range(256)) * 4000


@dataclass
class Server:
    """One file over HTTP; `cut` ends the first answers early, after so many bytes."""

    url: str = ""
    cut: list[int] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)
    ranges: bool = True
    claimed: int | None = None
    asked: list[str | None] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            server.asked.append(asked)
            server.logins.append(self.headers["Authorization"])
            if server.refuse:
                return self.send_error(server.refuse.pop(0))
            start = int(re.findall(r"\d+", asked)[0]) if asked and server.ranges else 0
            if start >= len(DATA):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(DATA)}")
                return self.end_headers()
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(server.claimed or len(DATA) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
            self.end_headers()
            end = start + server.cut.pop(0) if server.cut else None
            self.wfile.write(DATA[start:end])
            return None

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=http.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{http.server_port}/net.whl"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


OPENER = Opener(PipSettings(indexes=()))


def test_a_cut_download_goes_on_where_it_stopped_and_reports_its_bytes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with serving(Server(cut=[300_000, 400_000])) as server:
        assert fetch(server.url, tmp_path / "net", OPENER, lambda *bytes_: seen.append(bytes_), wait=0)
    assert (tmp_path / "net").read_bytes() == DATA
    assert server.asked == [None, "bytes=300000-", "bytes=700000-"]
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_the_next_run_goes_on_from_what_an_earlier_one_left(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(DATA[:1000])
    with serving(Server()) as server:
        assert fetch(server.url, tmp_path / "net", OPENER)
        assert fetch(server.url, tmp_path / "net", OPENER)
    assert server.asked == ["bytes=1000-", f"bytes={len(DATA)}-"]
    assert (tmp_path / "net").read_bytes() == DATA


def test_a_server_without_ranges_starts_over(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(b"something else")
    with serving(Server(ranges=False)) as server:
        assert not fetch(server.url, tmp_path / "net", OPENER)
    assert (tmp_path / "net").read_bytes() == DATA


def test_a_part_longer_than_the_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(DATA + b"more")
    with serving(Server()) as server:
        fetch(server.url, tmp_path / "net", OPENER)
    assert server.asked == [f"bytes={len(DATA) + 4}-", None]
    assert (tmp_path / "net").read_bytes() == DATA


def test_passing_troubles_are_waited_out_and_lasting_ones_told(tmp_path: Path) -> None:
    with serving(Server(refuse=[503, 429])) as server:
        fetch(server.url, tmp_path / "net", OPENER, wait=0)
        assert (tmp_path / "net").read_bytes() == DATA
        server.refuse = [403]
        with pytest.raises(Unreachable, match=r"net\.whl answered 403 \(Forbidden\); check the login"):
            fetch(server.url, tmp_path / "other", OPENER, wait=0)
        server.refuse = [500] * 5
        with pytest.raises(Unreachable, match="in 5 attempts, the last because it answered 500"):
            fetch(server.url, tmp_path / "other", OPENER, wait=0)


def test_a_body_larger_than_the_disk_is_not_begun(tmp_path: Path) -> None:
    with (
        serving(Server(claimed=10**17)) as server,
        pytest.raises(NoSpace, match=r"net\.whl needs 100,000,000,000\.0 MB"),
    ):
        fetch(server.url, tmp_path / "net", OPENER)
    assert not (tmp_path / "net").exists()


def test_a_login_in_the_url_is_sent_as_a_header_and_never_shown(tmp_path: Path) -> None:
    with serving(Server(refuse=[401])) as server:
        url = server.url.replace("//", "//me:s%40crt@")
        with pytest.raises(Unreachable) as failure:
            fetch(url, tmp_path / "net", OPENER)
    assert server.logins == ["Basic bWU6c0BjcnQ="]
    assert "crt" not in str(failure.value)


def test_a_url_is_shown_without_a_password_that_is_not_escaped() -> None:
    assert without_credentials("https://me:s3/cr?e@host:80/a@b.whl#sha256=0") == "https://host:80/a@b.whl"
    assert without_credentials("https://host:80/a@b.whl") == "https://host:80/a@b.whl"


def test_a_login_in_netrc_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password s@crt\n")
    (tmp_path / ".netrc").chmod(0o600)
    with serving(Server()) as server:
        fetch(server.url, tmp_path / "net", OPENER)
    assert server.logins == ["Basic bWU6c0BjcnQ="]
