"""Runs that wait when a timetable is put there again, on a real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.runtime import flow_run
from prefect.states import Cancelling, Running, Scheduled

from sluice.flows.prefect_server import ENTRY, prefect_server
from sluice.flows.schedule.backlog import drop_changed, take_up
from sluice.flows.schedule.deployments import deployments
from sluice.flows.schedule.timetable import read_timetable

OLD, NEW = "compose job.yaml --out old", "compose job.yaml --out new"
JOB = "prompts: [a star]\npicture: {kind: ddim, of: {kind: guided, model: {kind: base, model: tabletop}}}\n"


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    with prefect_server(), get_client(sync_client=True) as own:
        yield own


def put(folder: Path, name: str, command: str) -> list[RunnerDeployment]:
    (folder / "job.yaml").write_text(JOB)
    (folder / "table.yaml").write_text(f"runs: {{{name}: {{command: {command}, cron: '0 3 1 1 *'}}}}")
    made = deployments(read_timetable(folder / "table.yaml"), folder / "table.yaml", None)
    for entry in made:
        entry.apply()
    return made


def due(client: SyncPrefectClient, name: str, seconds: float) -> None:
    """A run of an entry, due in so many seconds."""
    deployment = client.read_deployment_by_name(f"sluice/{name}").id
    client.create_flow_run_from_deployment(
        deployment, state=Scheduled(scheduled_time=datetime.now(UTC) + timedelta(seconds=seconds))
    )


def waiting(client: SyncPrefectClient, name: str) -> list[list[str]]:
    """The words of runs that are due by now and have not begun."""
    named = DeploymentFilter(name=DeploymentFilterName(any_=[name]))
    runs = client.read_flow_runs(deployment_filter=named)
    soon = datetime.now(UTC) + timedelta(seconds=5)
    wait = [own for own in runs if own.state_type == StateType.SCHEDULED]
    return [own.parameters["words"] for own in wait if own.expected_start_time and own.expected_start_time < soon]


def test_what_was_due_by_a_command_that_changed_never_begins(client: SyncPrefectClient, tmp_path: Path) -> None:
    put(tmp_path, "changed", OLD)
    due(client, "changed", -60)
    made = put(tmp_path, "changed", NEW)
    due(client, "changed", -30)
    assert OLD.split() in waiting(client, "changed"), "Prefect keeps what is overdue"
    drop_changed(made)
    left = waiting(client, "changed")
    assert NEW.split() in left
    assert OLD.split() not in left


def test_of_what_was_due_meanwhile_one_begins_of_each_entry(client: SyncPrefectClient, tmp_path: Path) -> None:
    made = put(tmp_path, "missed", OLD)
    for seconds in (-90, -60, -30):
        due(client, "missed", seconds)
    for _ in range(2):  # what a start that was killed at once had taken up is taken up again
        assert take_up(made) == {"missed": "was due meanwhile"}
        assert waiting(client, "missed") == [OLD.split()]


def test_what_was_not_due_or_was_another_command_then_does_not_begin(client: SyncPrefectClient, tmp_path: Path) -> None:
    made = put(tmp_path, "early", OLD)
    due(client, "early", 3600)
    assert take_up(made) == {}
    due(client, "early", -60)
    assert take_up(put(tmp_path, "early", NEW)) == {}
    assert waiting(client, "early") == [], "nor does it wait any longer"


def test_what_was_cut_off_is_noted_and_what_is_still_the_same_is_named(
    client: SyncPrefectClient, tmp_path: Path
) -> None:
    states = {"cut-off": Running(), "cancelled": Cancelling(), "changed-since": Running()}
    runs = {}
    for name, state in states.items():
        put(tmp_path, name, OLD)
        of = client.read_deployment_by_name(f"sluice/{name}").id
        runs[name] = client.create_flow_run_from_deployment(of).id
        client.update_flow_run(runs[name], infrastructure_pid="1")  # of a run without, Prefect ends a cancellation
        client.set_flow_run_state(runs[name], state, force=True)
    made = [entry for name in states for entry in put(tmp_path, name, NEW if name == "changed-since" else OLD)]
    assert take_up(made) == {"cut-off": "was cut off"}
    assert [client.read_flow_run(run).state_name for run in runs.values()] == ["Crashed"] * 3
    assert [waiting(client, name) for name in states] == [[OLD.split()], [], []]


def test_what_its_command_ran_is_noted_too(
    client: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = put(tmp_path, "weekly", OLD)
    monkeypatch.setenv(ENTRY, "weekly")
    runs = [_run_within()]
    monkeypatch.delenv(ENTRY)
    runs.append(_run_within())  # of a command that somebody gave by hand
    assert [client.read_flow_run(run).tags for run in runs] == [["of weekly"], []]
    for run in runs:
        client.set_flow_run_state(run, Running(), force=True)
    assert take_up(made) == {}
    assert [client.read_flow_run(run).state_name for run in runs] == ["Crashed", "Running"]


def _run_within() -> UUID:
    @flow(name="sluice-dataset", persist_result=False)
    def within() -> UUID:
        return UUID(str(flow_run.id))

    with prefect_server():
        return within()
