"""A timetable's run whose command is a job on a cluster."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.flows.conftest import write_pictures
from tests.flows.schedule.conftest import until
from tests.flows.submit.conftest import Head

RUN = """
import sys
from prefect import get_client
from sluice.flows.prefect_server import prefect_server
with prefect_server(services=True):
    from sluice.flows.schedule.flow import scheduled
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name("a-place", 1)
    scheduled("weekly", sys.argv[1:], ".", "a-place", cluster="here")
"""


@pytest.mark.slow
def test_a_run_that_is_cancelled_stops_its_job(
    head: Head, sluice: Callable[..., Result], build: list[str | Path], tmp_path: Path
) -> None:
    write_pictures(head.shared / "scheduled", range(300))
    out = head.shared / "of-a-timetable"
    words = [*build, "--set", "shard_size=5", "--source", head.shared / "scheduled", "--out", out]
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, *map(str, words)],
            env={**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: list(out.glob("stages/image/*/*.json")))
        run.send_signal(signal.SIGTERM)
        assert run.wait(120)
    finally:
        run.kill()
    until(lambda: [job["state"] for job in _weekly(sluice)] == ["STOPPED"])
    (job,) = _weekly(sluice)
    assert re.fullmatch(r"weekly-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-1-1", job["id"])


def _weekly(sluice: Callable[..., Result]) -> list[dict[str, str]]:
    """The timetable's jobs among all that the cluster was given."""
    jobs = json.loads(sluice("status", "--cluster", "here", "--json").output)["jobs"]
    return [job for job in jobs if job["id"].startswith("weekly-")]
