"""A timetable's run whose command is a job on a cluster."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import Result

from tests.flows.conftest import write_pictures
from tests.flows.schedule.conftest import until
from tests.flows.submit.conftest import Head

RUN = """
import sys
from contextlib import suppress
from prefect import get_client
from prefect.exceptions import ObjectNotFound
from sluice.flows.prefect_server import prefect_server
with prefect_server(services=True):
    from sluice.flows.schedule.flow import scheduled
    with get_client(sync_client=True) as client:
        with suppress(ObjectNotFound):  # of a run that was killed, as `serve` does
            client.delete_global_concurrency_limit_by_name("a-place")
        client.upsert_global_concurrency_limit_by_name("a-place", 1)
    scheduled("weekly", sys.argv[1:], ".", "a-place", cluster="here")
"""


@contextmanager
def running(words: list[str | Path], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("ab") as log:
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, *map(str, words)],
            env={**os.environ, "PREFECT_HOME": str(folder / "prefect")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield run
    finally:
        run.kill()
        run.wait()


@pytest.mark.slow
def test_a_job_ends_with_its_run_or_before_the_next_one(
    head: Head, sluice: Callable[..., Result], build: list[str | Path], tmp_path: Path
) -> None:
    write_pictures(head.shared / "scheduled", range(3000))
    out = head.shared / "of-a-timetable"
    words = [*build, "--set", "shard_size=5", "--source", head.shared / "scheduled", "--out", out]

    def states() -> list[str]:
        return [job["state"] for job in _weekly(sluice)]

    with running(words, tmp_path):
        until(lambda: list(out.glob("stages/image/*/*.json")))
    assert states() == ["RUNNING"], "its run was killed, and could not stop it"
    with running(words, tmp_path) as run:
        until(lambda: states() == ["RUNNING", "STOPPED"])
        run.send_signal(signal.SIGTERM)
        assert run.wait(120)
    until(lambda: states() == ["STOPPED", "STOPPED"])
    assert all(
        re.fullmatch(r"weekly-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-1-1", job["id"]) for job in _weekly(sluice)
    )


def _weekly(sluice: Callable[..., Result]) -> list[dict[str, str]]:
    """The timetable's jobs among all that the cluster was given."""
    jobs = json.loads(sluice("status", "--cluster", "here", "--json").output)["jobs"]
    return [job for job in jobs if job["id"].startswith("weekly-")]
