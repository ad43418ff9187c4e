"""Following a job through connections that break."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import Result

from sluice.flows.submit import follow as module
from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.follow import follow
from sluice.flows.submit.jobs import Jobs
from sluice.flows.submit.speaking import NoSuchCluster
from tests.flows.submit.conftest import Head


class Forward:
    """A port that leads to a cluster's, as `ssh -L` does, and that breaks off."""

    def __init__(self, port: int) -> None:
        self.port, self.is_up = port, True
        self.ends: list[socket.socket] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.is_up = False
        for end in self.ends:
            with suppress(OSError):  # it was closed before
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_up = True

    def _accept(self) -> None:
        while True:
            here = self.listening.accept()[0]
            if not self.is_up:
                here.close()
                continue
            there = socket.create_connection(("127.0.0.1", self.port))
            self.ends += [here, there]
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):  # cut
        while said := one.recv(65536):
            other.sendall(said)
        other.shutdown(socket.SHUT_WR)


@pytest.mark.slow
def test_what_a_job_says_is_heard_once_and_to_its_end(
    head: Head, sluice: Callable[..., Result], build: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.2)
    forward = Forward(urlsplit(head.address).port or 0)
    jobs = Jobs(Cluster(address=forward.address, token=str(head.shared.parent / "token")))
    out = ["--out", head.shared / "followed"]
    begun = sluice("submit", *build, *out, "--cluster", "here", "--id", "followed")
    assert begun.exit_code == 0, begun.exception
    heard: list[str] = []
    for said in follow(jobs, "followed"):
        if not heard:
            forward.cut()
            threading.Timer(2, forward.mend).start()
        heard.append(said)
    assert "6 records from 6 images" in "".join(heard)
    assert "".join(heard) == jobs.logs("followed")
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    again = follow(jobs, "followed")
    next(again)
    forward.cut()
    with pytest.raises(NoSuchCluster, match=r"nobody answers at .* followed may go on, and is followed no more"):
        list(again)
