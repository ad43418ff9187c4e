"""The Prefect flow of an entry: one command, in a process of its own, and of one place one at a time."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, get_client, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
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

from sluice.flows.schedule.news import has_news
from sluice.flows.submit.jobs import Share
from sluice.infra.errors import SluiceError

TAG = "sluice"
RUN_FAILED = "sluice.run.failed"
END_SECONDS = 120.0
"""How long a command may take to keep what it did, once it is told to stop."""
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

    `share` is what of a machine of the cluster the command itself gets.

    With `when_new` only if the source of its data set has images since the last such run that ended well. Returns
    Prefect's state, with the end of what a command said that failed.
    """
    if not Path(folder).is_dir():
        return Failed(message=_not_here(folder))
    _make(holds)
    with concurrency(holds, occupy=1, strict=True, lease_duration=LEASE_SECONDS):
        if when_new and not has_news(words, Path(folder), _last_completed()):
            return Completed(name="NothingNew", message="the source has nothing new")
        tried = command.with_options(retries=retries.count, retry_delay_seconds=retries.after)
        try:
            tried(name, words, folder, cluster, share)
        except FailedRun as error:
            return Failed(message=str(error))
    return Completed(message=f"{name}: done")


@task(name="command", cache_policy=NO_CACHE, persist_result=False)
def command(name: str, words: list[str], folder: str, cluster: str | None, share: Share) -> None:
    """Run it once, and say what it says. Raises FailedRun."""
    sluice = str(Path(sys.executable).with_name("sluice"))
    if cluster is None:
        return _run([sluice, *words], folder)
    id = f"{name}-{str(flow_run.id)[:8]}-{task_run.run_count}"  # a cluster runs no id twice
    try:
        own = ["--cpus", str(share.cpus), "--gpus", str(share.gpus)]
        _run([sluice, "submit", *words, *own, "--cluster", cluster, "--id", id, "--follow"], folder)
    except BaseException:  # cancelled, or cut off: a job that goes on would write where the next run does
        _stop([sluice, "stop", id, "--cluster", cluster], folder)
        raise


def _not_here(folder: str) -> str:
    return (
        f"{folder}, the timetable's folder where it was deployed, is not on {socket.gethostname()}, whose worker runs "
        "this: make it there too, with the files that the command names, or deploy from a folder that all workers see"
    )


def _make(place: str) -> None:
    """Make the limit of a place where nobody has: `sluice deploy` does, and Prefect's own command does not."""
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=place, limit=1))


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


def _run(words: Sequence[str], folder: str) -> None:
    log, end = get_run_logger(), deque[str](maxlen=TOLD)
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            log.info(line.rstrip())
            end.append(line)
        process.wait()
    finally:  # a cancelled run, too
        _end(process)
    if process.returncode:
        raise FailedRun("".join(end).strip() or f"it ended with {process.returncode}")


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()  # of one that has ended, nothing
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stop(words: Sequence[str], folder: str) -> None:
    told = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=END_SECONDS)
    get_run_logger().info((told.stdout + told.stderr).strip())
