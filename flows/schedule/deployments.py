"""A timetable on a Prefect server: deployments, and a limit of one for each place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer
from prefect import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    DeploymentFilterTags,
    FlowFilter,
    FlowFilterName,
)
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from sluice.flows.dataset.named import PLACE, meant
from sluice.flows.schedule.flow import TAG, Retries, scheduled
from sluice.flows.schedule.news import in_folder
from sluice.flows.schedule.timetable import Entry, Timetable
from sluice.flows.submit.clusters import find_cluster
from sluice.flows.submit.contents import config_of
from sluice.flows.submit.jobs import Share
from sluice.flows.submit.readable import refuse_logins, refuse_unreadable
from sluice.flows.submit.words import parsed, understood
from sluice.infra.errors import SluiceError
from sluice.infra.settings import ConfigError
from sluice.infra.spans import seconds_of
from sluice.infra.storage import storage

MONDAY = date(2024, 1, 1)
"""Spans are counted from its midnight, and not from the last start: who starts often would never come to `7d`."""
ONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
"""A run that would overlap the one before it is left out, and its state says so."""


def deployments(table: Timetable, file: Path, pool: str | None) -> list[RunnerDeployment]:
    """One of each entry, understood as the command line would, for a work pool or for this process to serve.

    Raises ConfigError, which names the entry.
    """
    return [_understood(name, entry, file, pool) for name, entry in table.runs.items()]


def _understood(name: str, entry: Entry, file: Path, pool: str | None) -> RunnerDeployment:
    try:
        return _deployment(name, entry, file, pool)
    except (SluiceError, typer.TyperException) as error:  # the latter of words that the command line does not know
        raise ConfigError(f"{file}: runs.{name}: {error}") from error


def tag_of(file: Path, pool: str | None) -> str:
    """By what a server knows the timetable of a file for a pool, and a server of our own the one that it serves."""
    known = "served" if pool is None else f"{file.stem}-{pool}"
    return f"{TAG}-{re.sub('[^a-z0-9]+', '-', known.lower())}"


def _deployment(name: str, entry: Entry, file: Path, pool: str | None) -> RunnerDeployment:
    folder = file.absolute().parent
    held = holds(entry, folder)
    return RunnerDeployment.from_flow(
        scheduled,
        name,
        schedule=_schedule(entry),
        parameters={
            "name": name,
            "words": entry.words,
            "folder": str(folder),
            "holds": held,
            "cluster": entry.cluster,
            "when_new": entry.when is not None,
            "retries": asdict(Retries(entry.retries, seconds_of(entry.retry_after, "retry_after:"))),
            "share": asdict(Share(entry.cpus, entry.gpus)),
        },
        concurrency_limit=ONE,
        description=f"sluice {entry.command}",
        tags=[TAG, tag_of(file, pool)],
        work_pool_name=pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _schedule(entry: Entry) -> Any:
    if entry.cron:
        return CronSchedule(cron=entry.cron, timezone=entry.timezone)
    anchor = datetime.combine(MONDAY, time(), ZoneInfo(entry.timezone))
    return IntervalSchedule(interval=timedelta(seconds=entry.seconds or 0), anchor_date=anchor, timezone=entry.timezone)


def holds(entry: Entry, folder: Path) -> str:
    """A name of the place that a command writes to, which one run at a time may hold.

    Raises ConfigError, CannotSubmit, StorageError, and what the command line raises for words that it does not know.
    """
    with in_folder(folder):
        refuse_logins(entry.command)
        context = parsed(entry.words)
        if entry.cluster:
            understood(entry.words, find_cluster(entry.cluster), entry.cluster, bool(entry.cpus or entry.gpus))
        else:
            refuse_unreadable(entry.words[0], context.info_name, context.params)
        place = _written(entry.words[0], context.params, folder)
        if "://" not in place:
            place = str(Path(place).resolve())  # by whichever way it is named
    return f"sluice-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


def _written(command: str, given: dict[str, Any], folder: Path) -> str:
    """The data set that a command is of, or the folder that it writes to: of an evaluation that of its pictures.

    `gc` holds nothing that builds hold, beside which it is safe.
    """
    if command == "dataset" and "source" in given:
        config = config_of(given)
        return f"{storage(config.out).uri}/datasets/{config.name}"
    if command == "dataset":
        place, name = meant(given["data"], given["out"])
        return f"{place.uri}/datasets/{name}"
    if command == "gc":
        return f"{storage(given['out'] or PLACE).uri}/gc"
    return storage(given.get("place") or given.get("out") or folder).uri


def set_limits(entries: Sequence[RunnerDeployment]) -> None:
    """One run at a time for each place, whichever entry it is of."""
    with get_client(sync_client=True) as client:
        for name in {str(entry.parameters["holds"]) for entry in entries}:
            client.upsert_global_concurrency_limit_by_name(name, 1)


def free_places(entries: Sequence[RunnerDeployment]) -> None:
    """Make the limits anew, held by nobody: for when whoever held one is gone, and what frees it may be lost.

    Another limit, and not the old one set to none: an old lease that ends later lets nobody in beside a new run.
    """
    with get_client(sync_client=True) as client:
        for name in {str(entry.parameters["holds"]) for entry in entries}:
            with suppress(ObjectNotFound):
                client.delete_global_concurrency_limit_by_name(name)
    set_limits(entries)


def take_back(entries: Sequence[RunnerDeployment], tag: str) -> list[str]:
    """Delete what has left the timetable of a tag since it was put there; the names."""
    kept = {entry.name for entry in entries}
    with get_client(sync_client=True) as client:
        left = [old for old in client.read_deployments(deployment_filter=_of_tag(tag)) if old.name not in kept]
        for old in left:
            client.delete_deployment(old.id)
    return [old.name for old in left]


def _of_tag(tag: str) -> DeploymentFilter:
    return DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG, tag]))


def folders_of(tag: str) -> dict[str, str]:
    """From which folder each entry is that a server knows by a tag."""
    with get_client(sync_client=True) as client:
        found = client.read_deployments(deployment_filter=_of_tag(tag))
    return {own.name: str(own.parameters.get("folder", "")) for own in found}


def of_others(entries: Sequence[RunnerDeployment], tag: str) -> dict[str, list[str]]:
    """The tags of deployments that have the names of entries, and are not of the timetable of a tag."""
    named = DeploymentFilter(name=DeploymentFilterName(any_=[str(entry.name) for entry in entries]))
    ours = FlowFilter(name=FlowFilterName(any_=[scheduled.name]))
    with get_client(sync_client=True) as client:
        there = client.read_deployments(deployment_filter=named, flow_filter=ours)
    return {own.name: own.tags for own in there if tag not in own.tags}
