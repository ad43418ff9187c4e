"""Jobs of a cluster through Ray's Jobs API."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.parcel import RUN, pack
from sluice.flows.submit.speaking import NoSuchCluster, client_of, speaking, without_addresses
from sluice.flows.submit.words import Asked
from sluice.infra.code import CODE, code_version
from sluice.infra.errors import SluiceError
from sluice.infra.settings import nearest

STOP_SECONDS = 120
"""How long a job may take to keep what it did, once it is told to stop."""
SILENCE = 300.0
"""Seconds without a word of a job after which its connection is made again."""
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


class WrongJob(SluiceError):
    """There is no job of an id, or it is another one."""


class FailedBefore(SluiceError):
    """A job of this id was run, and did not end well."""

    exit_code = 1


@dataclass(frozen=True)
class Share:
    """What of a node the command itself is given, apart from its actors."""

    cpus: float = 0.0
    gpus: float = 0.0

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"

    def fits(self, node: Share) -> bool:
        """Whether a node has as much."""
        return self.cpus <= node.cpus and self.gpus <= node.gpus


@dataclass(frozen=True)
class Job:
    """A job as the cluster knows it: `state` is Ray's, times are seconds since 1970.

    `digest` is of what `submit` was asked; a job that others started has none.
    """

    id: str
    digest: str
    state: str
    command: str
    message: str
    began: float | None
    ended: float | None


class Jobs:
    """The jobs of a cluster. Raises NoSuchCluster, ConfigError where it cannot be talked to."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        with speaking(cluster):
            self.client = client_of(cluster)

    def submit(self, asked: Asked, id: str, share: Share) -> Job | None:
        """Start a job, unless its id is known: then that one is returned, and nothing is started.

        Raises WrongJob where the id is of another command.
        """
        command = shlex.join([*asked.options, *asked.words])
        digest = _digest(command, asked)
        if (before := self._same(id, digest)) is not None:
            return before
        try:
            self._start(command, digest, asked, id, share)
        except NoSuchCluster:
            if (meanwhile := self._same(id, digest)) is None:
                raise
            return meanwhile
        return None

    def _same(self, id: str, digest: str) -> Job | None:
        """The job of an id. Raises WrongJob where it is of another command."""
        before = next((job for job in self._listed() if job.id == id), None)
        if before is not None and before.digest != digest:
            raise WrongJob(f"{id} is a job of another command ({before.command}): give this one another --id")
        return before

    def _start(self, command: str, digest: str, asked: Asked, id: str, share: Share) -> None:
        with TemporaryDirectory(prefix="sluice-") as folder:
            pack(Path(folder), asked.files)
            with speaking(self.cluster):
                self.client.submit_job(
                    entrypoint=f"python {RUN} {command}",
                    submission_id=id,
                    runtime_env={
                        "working_dir": folder,
                        "env_vars": {CODE: code_version(), "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)},
                    },
                    metadata={"command": f"sluice {command}", "digest": digest},
                    entrypoint_num_cpus=share.cpus or None,
                    entrypoint_num_gpus=share.gpus or None,
                )

    def nodes(self) -> list[Share]:
        """What the nodes that are up have, each."""
        from ray.util.state import StateApiClient
        from ray.util.state.common import ListApiOptions, StateResource

        with speaking(self.cluster), without_addresses():
            client = StateApiClient(self.cluster.address, headers=self.cluster.headers())
            options = ListApiOptions(filters=[("state", "=", "ALIVE")], detail=True)
            listed: list[Any] = client.list(StateResource.NODES, options, raise_on_missing_output=False)
        totals = [node.resources_total or {} for node in listed]
        return [Share(total.get("CPU", 0.0), total.get("GPU", 0.0)) for total in totals]

    def all(self) -> list[Job]:
        """What `submit` started, the newest first."""
        return sorted((job for job in self._listed() if job.digest), key=lambda job: job.began or 0, reverse=True)

    def _listed(self) -> list[Job]:
        """All that the cluster knows, also what others started."""
        with speaking(self.cluster):
            return [_job(each) for each in self.client.list_jobs()]

    def named(self, id: str) -> Job:
        """A job by its id. Raises WrongJob."""
        known = {job.id: job for job in self.all()}
        if id not in known:
            raise WrongJob(f"the cluster knows no job {id}" + (f"; {nearest(id, known)}" if known else ""))
        return known[id]

    def logs(self, id: str) -> str:
        """All that a job has said."""
        self.named(id)
        with speaking(self.cluster):
            return str(self.client.get_job_logs(id))

    def tail(self, id: str) -> Iterator[str]:
        """All that a job has said and says, to its end, or until the connection breaks or is silent for long.

        Raises NoSuchCluster: of a quiet job as of a lost line, which a new connection tells apart.
        """
        with speaking(self.cluster), asyncio.Runner() as runner:
            said = self.client.tail_job_logs(id)
            while True:
                try:
                    yield runner.run(asyncio.wait_for(anext(said), SILENCE))
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    quiet = f"{self.cluster.address} said nothing of {id} for {SILENCE:g} s"
                    raise NoSuchCluster(quiet) from error

    def stop(self, id: str) -> bool:
        """Tell a job to keep what it did and end; False where it had ended."""
        self.named(id)
        with speaking(self.cluster):
            return bool(self.client.stop_job(id))


def _digest(command: str, asked: Asked) -> str:
    """Of a command and the files that it names: what tells the same job from another one."""
    contents = {there: hashlib.sha256(file.read_bytes()).hexdigest() for file, there in asked.files.items()}
    return hashlib.sha256(json.dumps([command, contents], sort_keys=True).encode()).hexdigest()


def _job(details: Any) -> Job:
    began, ended = (None if at is None else at / 1000 for at in (details.start_time, details.end_time))
    about = details.metadata or {}
    message = (details.message or "").partition(", last available logs")[0]
    command = about.get("command", details.entrypoint)
    return Job(details.submission_id, about.get("digest", ""), details.status.value, command, message, began, ended)
