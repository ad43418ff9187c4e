"""The Prefect flow of an entry: one command, in a process of its own, and of one place one at a time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from uuid import UUID

from prefect import flow, get_client, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.concurrency.sync import concurrency
from prefect.events import emit_event
from prefect.exceptions import ObjectAlreadyExists
from prefect.runtime import deployment, flow_run, task_run
from prefect.states import Completed, Failed

from sluice.flows.prefect_server import ENTRY
from sluice.flows.schedule import child
from sluice.flows.schedule.jobs import end_job, going_on, job_id
from sluice.flows.schedule.news import has_news, in_folder
from sluice.flows.submit.clusters import find_cluster
from sluice.flows.submit.jobs import Jobs, Share
from sluice.infra.errors import SluiceError

TAG = "sluice"
RUN_FAILED = "sluice.run.failed"
LEASE_SECONDS = 60.0
"""How long a place stays held after whoever held it was killed."""
TOLD = 20
"""Lines of a command's end that an error tells."""
NONE_OF_ITS_OWN = Share()


class FailedRun(SluiceError):
    """A command of a timetable ended by an error, which it has told."""

    exit_code = 1


@dataclass(frozen=True)
class Retries:
    """How often a command that failed is run again, and after how many seconds."""

    count: int = 0
    after: float = 0.0


def _tell(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ARG001
    """Tell of a failure in an event of our own.

    Prefect's own, of a run's states, wait for the one before, up to a quarter of an hour where it never comes: of a
    run that the scheduler made there is none of its first state.
    """
    tags = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in flow_run.tags]
    own = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.name": flow_run.name}
    emit_event(RUN_FAILED, resource=own, related=tags)


@flow(name="sluice", flow_run_name="{name}", persist_result=False, on_failure=[_tell])
def scheduled(
    name: str,
    words: list[str],
    folder: str,
    holds: str,
    cluster: str | None = None,
    when_new: bool = False,
    retries: Retries = Retries(),
    share: Share = NONE_OF_ITS_OWN,
) -> Any:
    """Run `sluice` with these words in a folder, as a job on a cluster or here, while nobody else holds `holds`.

    `share` is what of a machine of the cluster the command itself gets. Others may hold it between two attempts.
    With `when_new` only if the source of its data set has images since the last such run that ended well. Returns
    Prefect's state, with the end of what a command said that failed.
    """
    if not Path(folder).is_dir():
        return Failed(message=_not_here(folder))
    _make(holds)
    tried = attempt.with_options(retries=retries.count, retry_delay_seconds=retries.after)
    try:
        ran = tried(name, words, folder, holds, cluster, when_new, share)
    except SluiceError as error:
        return Failed(message=str(error))
    if not ran:
        return Completed(name="NothingNew", message="the source has nothing new")
    return Completed(message=f"{name}: done")


@task(name="command", cache_policy=NO_CACHE, persist_result=False)
def attempt(
    name: str, words: list[str], folder: str, holds: str, cluster: str | None, when_new: bool, share: Share
) -> bool:
    """Run it once, if it is to run. Raises FailedRun, and what `Jobs` and the source of a data set raise."""
    with concurrency(holds, occupy=1, strict=True, lease_duration=LEASE_SECONDS):
        if when_new and not has_news(words, Path(folder), _last_completed()):
            return False
        command(name, words, folder, holds, cluster, share)
        return True


def command(name: str, words: list[str], folder: str, holds: str, cluster: str | None, share: Share) -> None:
    """Run it, and say what it says. Raises FailedRun, and what `Jobs` raises."""
    if cluster is None:
        return _run(name, words, folder)
    with in_folder(Path(folder)):
        jobs = Jobs(find_cluster(cluster))
    there = ["--cluster", cluster, "--follow"]
    id = job_id(name, flow_run.id, flow_run.run_count, task_run.run_count)
    submitted = ["submit", *words, "--cpus", str(share.cpus), "--gpus", str(share.gpus), "--id", id, *there]
    for job, run in list(going_on(jobs, holds)):  # no run but this one is there to follow them
        if run == flow_run.id:
            id, submitted = job.id, ["logs", job.id, *there]
        else:
            end_job(jobs, job.id)
    try:
        _run(name, submitted, folder)
    except FailedRun:  # if it was only lost sight of, the next attempt follows it
        raise
    except BaseException:  # cancelled, or cut off: a job that goes on would write where the next run does
        with suppress(SluiceError):
            jobs.stop(id)
        raise


def _not_here(folder: str) -> str:
    return (
        f"{folder}, the timetable's folder where it was deployed, is not on {socket.gethostname()}, whose worker runs "
        "this: make it there too, with the files that the command names, or deploy from a folder that all workers see"
    )


def _make(place: str) -> None:
    """Make the limit of a place where nobody has: `sluice deploy` does, and Prefect's own command does not."""
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.upsert_global_concurrency_limit_by_name(place, 1)  # it looks first: of a second one the server complains


def _last_completed() -> float:
    """When the last run of this deployment ended well, in seconds since 1970; 0 where none has."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[UUID(str(deployment.id))]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED])),
            ),
            sort=FlowRunSort.END_TIME_DESC,
            limit=1,
        )
    return found[0].end_time.timestamp() if found and found[0].end_time else 0.0


def _run(name: str, words: Sequence[str], folder: str) -> None:
    log, end = get_run_logger(), deque[str](maxlen=TOLD)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", child.__name__, *words],  # -P: the folder's own modules are not imported
        cwd=folder,
        env={**os.environ, ENTRY: name},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in _lines(process):
            log.info(line.rstrip())
            end.append(line)
        process.wait()
    finally:  # a cancelled run, too
        _end(process)
    if process.returncode:
        raise FailedRun(cause(end) or f"it ended with {process.returncode}")


def cause(said: Sequence[str]) -> str:
    """The end of what was said, from the first error in it: Prefect's account of the same comes before."""
    errors = (place for place, line in enumerate(said) if line.startswith("Error: "))
    return "".join(list(said)[next(errors, 0) :]).strip()


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """What it says, to its end; meanwhile a cancellation by Prefect, which nobody hears in a read, is heard."""
    said: SimpleQueue[str | None] = SimpleQueue()
    Thread(target=_pass_on, args=(process, said), daemon=True).start()
    while True:
        try:
            line = said.get(timeout=1)
        except Empty:
            continue
        if line is None:
            return
        yield line


def _pass_on(process: subprocess.Popen[str], said: SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.put(line)
    said.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()  # of one that has ended, nothing
    try:
        process.wait(child.END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
