"""`sluice deploy`: a timetable on a server that others keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from prefect import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from sluice.flows.schedule.backlog import drop_changed
from sluice.flows.schedule.deployments import (
    deployments,
    folders_of,
    of_others,
    set_limits,
    tag_of,
    take_back,
)
from sluice.flows.schedule.failures import notify, webhook
from sluice.flows.schedule.flow import scheduled
from sluice.flows.schedule.timetable import read_timetable
from sluice.infra.errors import SluiceError
from sluice.infra.logins import without_logins


class NoServer(SluiceError):
    """No Prefect server answers, or it has no such work pool."""

    exit_code = 1


class TakenName(SluiceError):
    """An entry has the name of a deployment that is of another timetable."""


def deploy(file: Path, pool: str) -> Iterator[str]:
    """Put deployments, limits and the automation there, and take back what left the timetable; lines that say so.

    Everything is understood before anything is put there. Raises NoServer, TakenName, ConfigError and what
    `deployments` raises.
    """
    table = read_timetable(file)
    url = None if table.notify is None else webhook(table.notify)
    made, tag = deployments(table, file, pool), tag_of(file, pool)
    _refuse_without(pool)
    _refuse_taken(made, tag)
    _refuse_elsewhere(file, pool, tag)
    set_limits(made)
    for entry in made:
        entry.apply()
    drop_changed(made)
    for entry in made:
        yield f"{entry.name}: {entry.description}, by the workers of {pool}"
    for name in take_back(made, tag):
        yield f"{name}: is in {file.name} no more, and was taken back"
    notify(tag, url)
    if url is not None:
        yield f"failures are posted to the URL in {table.notify}"


def _refuse_elsewhere(file: Path, pool: str, tag: str) -> None:
    """By its tag the entries of another file of this name would be taken back."""
    folder = str(file.absolute().parent)
    for name, elsewhere in folders_of(tag).items():
        if elsewhere != folder:
            raise TakenName(
                f"{file}: the server has a timetable called {file.name} for the pool {pool} from another folder, "
                f"{elsewhere}, whose entries ('{name}' is one) would be taken back: give this file another name, or "
                f"delete those with `prefect deployment delete {scheduled.name}/{name}`"
            )


def _refuse_without(pool: str) -> None:
    url = PREFECT_API_URL.value()
    if not url:
        raise NoServer("PREFECT_API_URL names no server: set it, or run `sluice serve` on one machine without a server")
    try:
        with get_client(sync_client=True) as client:
            client.read_work_pool(pool)
    except ObjectNotFound as error:
        asked = f"{without_logins(url)} has no work pool '{pool}'"
        raise NoServer(f"{asked}: `prefect work-pool create {pool} --type process`") from error
    except (httpx.HTTPError, RuntimeError) as error:
        said = without_logins(f"no Prefect server answers at PREFECT_API_URL = {url} ({error})")
        raise NoServer(said) from error


def _refuse_taken(made: Sequence[RunnerDeployment], tag: str) -> None:
    for name, tags in of_others(made, tag).items():
        raise TakenName(
            f"runs.{name}: the server has a deployment of this name from another timetable (its tags: "
            f"{', '.join(tags) or 'none'}), which would be lost: give the entry another name, or delete that one with "
            f"`prefect deployment delete {scheduled.name}/{name}`"
        )
