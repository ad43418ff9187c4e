"""Prefect's temporary server, which ends when its driver does and not before.

The one that Prefect starts by itself dies of a Ctrl-C in the terminal before the run has ended, and outlives a driver
that is killed. This one has a session of its own, and standard input as its life line; where it is killed itself,
another takes its place.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sluice.infra.errors import SluiceError
from sluice.infra.logins import without_logins

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_API_REQUEST_TIMEOUT": "180",  # the first request waits for the server to start
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # What is held is counted in the database, which outlives a server; so must what lets go of it when its holder died.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",  # else runs and what they said stay for ever
    # It only calls late what is, and locks the database for whoever clears a backlog.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
}
RESTARTS = 3
SHARED, SERVED = "sqlite+aiosqlite:///{}/prefect.db", "sqlite+aiosqlite:///{}/sluice-serve.db"
"""Prefect's own default, and of a server that keeps a timetable."""
ENTRY = "SLUICE_ENTRY"
"""In the environment of a command of a timetable: the name of its entry, which its runs are tagged with."""


class ServerOfOthers(SluiceError):
    """A Prefect server is named where one of its own is wanted."""


@contextmanager
def prefect_server(services: bool = False) -> Iterator[None]:
    """The server that the user's settings name, else a temporary one, started once and then in use by all flows.

    With `services` it also does by itself what is scheduled, and is no server that others use. Raises ServerOfOthers.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from prefect import tags
    from prefect.settings import PREFECT_API_URL, temporary_settings

    url = PREFECT_API_URL.value()
    if url and services:
        raise ServerOfOthers(
            f"PREFECT_API_URL, or Prefect's profile, names {without_logins(url)}, whose runs others may be at work on: "
            "put the timetable there with `sluice deploy`, or unset it, and `serve` has a server of its own"
        )
    with tags(*(tag_of_entry(name) for name in (os.environ.get(ENTRY),) if name)):
        if url:
            yield
            return
        _, port = _start(services)
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
            yield


def tag_of_entry(name: str) -> str:
    """The tag of runs that a command of an entry makes."""
    return f"of {name}"


@cache
def _start(services: bool) -> tuple[subprocess.Popen[bytes], int]:
    """The server, for as long as this process holds its standard input, and its port, where requests may queue now."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = _serving(listening, services)
    threading.Thread(target=_start_again, args=(server, listening, services), daemon=True).start()
    return server, listening.getsockname()[1]


def _start_again(server: subprocess.Popen[bytes], listening: socket.socket, services: bool) -> None:
    """Put another server in the place of one that died: requests queue meanwhile, and its database has the runs."""
    for _ in range(RESTARTS):
        server.wait()
        server = _serving(listening, services)
    server.wait()
    listening.close()  # who asks is refused now, and need not wait


def _serving(listening: socket.socket, services: bool) -> subprocess.Popen[bytes]:
    handed = listening.fileno()
    command = [sys.executable, "-m", "sluice.flows.prefect_server", str(handed), *(["services"] if services else [])]
    own = {**os.environ, **(_of_its_own() if services else {})}
    return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[handed], start_new_session=True, env=own)


def _of_its_own() -> dict[str, str]:
    """A database apart from that of commands that run by themselves: SQLite has one writer. The user's own stays."""
    from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, Settings

    there = Settings()  # as the server will read them, and not as this process did when it began
    named = there.server.database.connection_url
    if named is not None and named.get_secret_value() != SHARED.format(there.home):
        return {}
    return {PREFECT_SERVER_DATABASE_CONNECTION_URL.name: SERVED.format(there.home)}


def _serve(listening: int, services: bool) -> None:
    threading.Thread(target=_end_with_driver, daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(ephemeral=not services, final=True), log_level="critical")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listening)])


def _end_with_driver() -> None:
    while os.read(sys.stdin.fileno(), 1):  # a read of sys.stdin itself would hold its lock where the server ends first
        pass
    os._exit(0)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), "services" in sys.argv[2:])
