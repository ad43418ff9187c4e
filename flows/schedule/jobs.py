"""A timetable's jobs on a cluster: their ids, and those whose runs are gone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from uuid import UUID

from prefect import get_client
from prefect.exceptions import ObjectNotFound

from sluice.flows.submit.jobs import ENDED, STOP_SECONDS, Job, Jobs
from sluice.flows.submit.speaking import NoSuchCluster

LOOK_SECONDS = 2.0
ID = re.compile(r".+-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+-\d+")


def job_id(name: str, run: str, run_count: int, tried: int) -> str:
    """An id of one attempt alone: a cluster runs none twice, and Prefect makes the ids of many runs in one moment."""
    return f"{name}-{run}-{run_count}-{tried}"


def going_on(jobs: Jobs, holds: str) -> Iterator[tuple[Job, str]]:
    """Jobs that write to a place that a timetable's run holds, and the ids of the runs that started them."""
    for job in jobs.all():
        started = ID.fullmatch(job.id)
        if job.state not in ENDED and started and _held_by(started[1]) == holds:
            yield job, started[1]


def end_job(jobs: Jobs, id: str) -> None:
    """Stop a job, and wait until it has kept what it did. Raises NoSuchCluster where it does not end."""
    jobs.stop(id)
    until = time.monotonic() + 2 * STOP_SECONDS
    while jobs.named(id).state not in ENDED:
        if time.monotonic() > until:
            raise NoSuchCluster(f"{id} was told to end and goes on: it would write where the next job does")
        time.sleep(LOOK_SECONDS)


def _held_by(run: str) -> str | None:
    """The place of a run of this server, None for others: their jobs are not ours to end."""
    with get_client(sync_client=True) as client:
        try:
            return str(client.read_flow_run(UUID(run)).parameters.get("holds"))
        except ObjectNotFound:
            return None
