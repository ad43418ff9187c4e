"""Runs of before, when a timetable is put there again: what was cut off, and what waits to begin.

None is to run a command that was changed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from sluice.flows.prefect_server import tag_of_entry
from sluice.flows.schedule.flow import scheduled

OURS = FlowFilter(name=FlowFilterName(any_=[scheduled.name]))
PAGE = 200
"""Of runs, as many as the server gives at once."""


def take_up(entries: Sequence[RunnerDeployment]) -> dict[str, str]:
    """Begin anew, once each, entries that were cut off or due meanwhile, and are what they were then: why, by name.

    What ran is noted as crashed, as it would keep others from beginning, with what its command ran; what waits is
    deleted, as a backlog would begin all at once. The new run is there first, so that a kill in between loses none.
    """
    told = {str(entry.name): _told(entry) for entry in entries}
    with get_client(sync_client=True) as client:
        going_on = list(_runs(client, list(told), GOING_ON))
        overdue = list(_runs(client, list(told), _overdue()))
        again = {name: "was due meanwhile" for name, run in overdue if run.parameters == told[name]}
        for name, run in going_on:
            if run.state_type != StateType.CANCELLING and run.parameters == told[name]:
                again[name] = "was cut off"
        for deployment in _deployments(client, list(again)) if again else ():
            client.create_flow_run_from_deployment(deployment)
        within = client.read_flow_runs(flow_run_filter=_within(list(told)), limit=PAGE)
        for run in [*(own for _, own in going_on), *within]:
            client.set_flow_run_state(run.id, Crashed(message="`sluice serve` was ended while it ran"), force=True)
        for _, run in overdue:
            _delete(client, run)
    return again


def drop_changed(entries: Sequence[RunnerDeployment]) -> None:
    """Delete what is overdue with other parameters than its entry has now: what is not due yet, Prefect deletes."""
    told = {str(entry.name): _told(entry) for entry in entries}
    with get_client(sync_client=True) as client:
        for name, run in list(_runs(client, list(told), _overdue())):
            if run.parameters != told[name]:
                _delete(client, run)


def _runs(client: SyncPrefectClient, names: Sequence[str], which: FlowRunFilter) -> Iterator[tuple[str, FlowRun]]:
    """Each such run of deployments of these names, with the name."""
    of = _deployments(client, names)
    for page in count():
        found = client.read_flow_runs(
            flow_filter=OURS, deployment_filter=_named(names), flow_run_filter=which, limit=PAGE, offset=page * PAGE
        )
        yield from ((of[run.deployment_id], run) for run in found if run.deployment_id in of)
        if len(found) < PAGE:
            return


def _in(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))


GOING_ON = FlowRunFilter(state=_in(StateType.RUNNING, StateType.PENDING, StateType.CANCELLING))


def _overdue() -> FlowRunFilter:
    """What should have begun."""
    now = FlowRunFilterExpectedStartTime.model_validate({"before_": datetime.now(UTC)})
    return FlowRunFilter(state=_in(StateType.SCHEDULED), expected_start_time=now)


def _within(names: Sequence[str]) -> FlowRunFilter:
    """What commands of these entries run."""
    tags = FlowRunFilterTags(any_=[tag_of_entry(name) for name in names])
    return FlowRunFilter(state=_in(StateType.RUNNING, StateType.PENDING), tags=tags)


def _deployments(client: SyncPrefectClient, names: Sequence[str]) -> dict[UUID, str]:
    return {own.id: own.name for own in client.read_deployments(flow_filter=OURS, deployment_filter=_named(names))}


def _named(names: Sequence[str]) -> DeploymentFilter:
    return DeploymentFilter(name=DeploymentFilterName(any_=list(names)))


def _delete(client: SyncPrefectClient, run: FlowRun) -> None:
    with suppress(ObjectNotFound):  # the scheduler's own changes meanwhile
        client.delete_flow_run(run.id)


def _told(entry: RunnerDeployment) -> Mapping[str, Any]:
    return dict(entry.parameters)
