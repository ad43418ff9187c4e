"""A timetable on a Prefect server: deployments, a limit of one for each place, and an automation for failures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from prefect import get_client
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.states import Crashed
from prefect.types.entrypoint import EntrypointType

from sluice.flows.schedule.flow import RUN_FAILED, TAG, Retries, scheduled
from sluice.flows.schedule.news import in_folder
from sluice.flows.schedule.timetable import Entry, Timetable
from sluice.flows.submit.clusters import find_cluster
from sluice.flows.submit.jobs import Share
from sluice.flows.submit.words import config_of, parsed, understood
from sluice.infra.private import read_private
from sluice.infra.settings import ConfigError
from sluice.infra.spans import seconds_of
from sluice.infra.storage import storage

WEBHOOK = "sluice-failures"
FAILED = {RUN_FAILED, "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"}
MONDAY = date(2024, 1, 1)
"""Spans are counted from its midnight, and not from the last start: who starts often would never come to `7d`."""
ONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
"""A run that would overlap the one before it is left out, and its state says so."""


def deployments(table: Timetable, folder: Path, pool: str | None) -> list[RunnerDeployment]:
    """One of each entry, understood as the command line would, for a work pool or for this process to serve.

    Raises ConfigError, CannotSubmit, StorageError, and what the command line raises for words that it does not know.
    """
    return [_deployment(name, entry, folder.absolute(), pool) for name, entry in table.runs.items()]


def _deployment(name: str, entry: Entry, folder: Path, pool: str | None) -> RunnerDeployment:
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
        tags=[TAG],
        work_pool_name=pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _schedule(entry: Entry) -> Any:
    if entry.cron:
        return CronSchedule(cron=entry.cron, timezone=entry.timezone)
    anchor = datetime.combine(MONDAY, time(), ZoneInfo(entry.timezone))
    return IntervalSchedule(interval=timedelta(seconds=entry.seconds or 0), anchor_date=anchor, timezone=entry.timezone)


def holds(entry: Entry, folder: Path) -> str:
    """A name of the place that a command writes to, which one run at a time may hold. Raises as `deployments`."""
    with in_folder(folder):
        if entry.cluster:
            understood(entry.words, find_cluster(entry.cluster), entry.cluster, bool(entry.cpus or entry.gpus))
        given = parsed(entry.words).params
        place = storage(given.get("out") or given.get("place") or folder).uri
        if entry.words[0] == "dataset" and "source" in given:
            config = config_of(given)
            place = f"{storage(config.out).uri}/datasets/{config.name}"
    return f"sluice-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


def set_limits(entries: Sequence[RunnerDeployment]) -> None:
    """One run at a time for each place, whichever entry it is of."""
    with get_client(sync_client=True) as client:
        for name in {str(entry.parameters["holds"]) for entry in entries}:
            client.upsert_global_concurrency_limit_by_name(name, 1)


def bury_dead_runs(names: Sequence[str]) -> None:
    """Say of what seems to run that it crashed: whoever ran it is gone, and would keep others from it."""
    running = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[scheduled.name])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=running)),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=list(names))),
        ):
            client.set_flow_run_state(run.id, Crashed(message="`sluice serve` was ended while it ran"), force=True)


def notify(file: Path) -> None:
    """Have failures of this timetable's runs posted to the URL in a file, as `{"text": ...}`. Raises ConfigError."""
    block = CustomWebhookNotificationBlock.model_validate(
        {"name": WEBHOOK, "url": _url(file), "json_data": {"text": "{{subject}}\n{{body}}"}}
    )
    block_id: Any = block.save(WEBHOOK, overwrite=True)
    wanted = AutomationCore(
        name=WEBHOOK,
        description="Tells of runs of Sluice that failed.",
        trigger=EventTrigger(
            expect=FAILED,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            SendNotification(
                block_document_id=block_id,
                subject="Sluice: {{ flow_run.name }} {{ flow_run.state.name | lower }}",
                body="{{ flow_run.state.message }}",
            )
        ],
    )
    with get_client(sync_client=True) as client:
        for old in client.read_automations_by_name(WEBHOOK):
            client.delete_automation(old.id)
        client.create_automation(wanted)


def _url(file: Path) -> str:
    """A URL is a secret: whoever has it may write there."""
    remedy = "it must hold the URL, https://..., that failures are posted to"
    url = read_private(file, "which `notify:` names", remedy)
    if not url.startswith(("https://", "http://")):
        raise ConfigError(f"notify: {file}: {remedy}")
    return url
