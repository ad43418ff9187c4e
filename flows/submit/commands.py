"""`sluice submit`, `sluice logs`, `sluice stop`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from sluice.flows.submit.jobs import Job, Jobs, Share
    from sluice.flows.submit.words import Asked

app = typer.Typer()
console = Console(soft_wrap=True, markup=False, highlight=False)

ClusterName = Annotated[str, typer.Option("--cluster", help="A name of infra/clusters.yaml or of one's own list.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `sluice submit` said it.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on with what it says, to its end; exit as it does.")]


@app.command(context_settings={"ignore_unknown_options": True})
def submit(
    words: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="dataset, train, compose or evaluate, in full.")
    ],
    cluster: ClusterName,
    id_: Annotated[
        str | None, typer.Option("--id", help="The same one is not run twice; made up unless given.")
    ] = None,
    cpus: Annotated[float, typer.Option(min=0, help="Of a node, for the command itself.")] = 0.0,
    gpus: Annotated[float, typer.Option(min=0, help="Of a node, for the command itself.")] = 0.0,
    log: Annotated[
        str | None, typer.Option(help="The job's log: a file that all machines see, or - for `sluice logs`.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="PORT, or HOST:PORT, where the job's machine tells Prometheus its figures.")
    ] = None,
    follow: Follow = False,
) -> None:
    """Run a command as a job on a cluster: code and small files go along, data and weights are named."""
    from sluice.flows.submit.clusters import find_cluster
    from sluice.flows.submit.ids import checked_id, new_id
    from sluice.flows.submit.jobs import Jobs, Share
    from sluice.flows.submit.words import understood, watched

    found = find_cluster(cluster)
    told = None if id_ is None else checked_id(id_)
    asked = replace(understood(words, found, cluster, bool(cpus or gpus)), options=watched(log, metrics, found))
    jobs, id, share = Jobs(found), told or new_id(asked.name), Share(cpus, gpus)
    with _goes_on(id, cluster):
        _submit(jobs, asked, id, share, cluster)
        if follow:
            _follow(jobs, id)


def _submit(jobs: Jobs, asked: Asked, id: str, share: Share, cluster: str) -> None:
    before = jobs.submit(asked, id, share)
    if before is None:
        console.print(f"{id}: started on {cluster}; `sluice logs {id} --cluster {cluster} --follow` shows what it says")
        if not any(map(share.fits, nodes := jobs.nodes())):
            console.print(
                f"No node that is up has {share} (there are: {'; '.join(map(str, nodes))}): it fails where none joins "
                "within 15 minutes, or the RAY_JOB_START_TIMEOUT_SECONDS of the cluster's head"
            )
    else:
        console.print(_said_before(before))


@app.command()
def logs(id: Id, cluster: ClusterName, follow: Follow = False) -> None:
    """What a job has said."""
    from sluice.flows.submit.clusters import find_cluster
    from sluice.flows.submit.jobs import Jobs

    jobs = Jobs(find_cluster(cluster))
    if follow:
        with _goes_on(id, cluster):
            _follow(jobs, id)
    else:
        typer.echo(jobs.logs(id), nl=False)


@app.command()
def stop(id: Id, cluster: ClusterName) -> None:
    """Tell a job to keep what it did, and end."""
    from sluice.flows.submit.clusters import find_cluster
    from sluice.flows.submit.jobs import Jobs

    jobs = Jobs(find_cluster(cluster))
    stopping = jobs.stop(id)
    state = jobs.named(id).state
    begun = " as soon as it has begun" if state == "PENDING" else ""
    console.print(f"{id}: told to end{begun}" if stopping else f"{id}: had ended ({state.lower()})")


def _said_before(job: Job) -> str:
    """That a job was not started again. Raises FailedBefore for one that is not worth waiting for."""
    from sluice.flows.submit.jobs import FailedBefore

    if job.state in ("FAILED", "STOPPED"):
        raise FailedBefore(
            f"{job.id} was started before and {job.state.lower()} ({job.message}): it is not run twice. Another --id "
            "starts it anew, and goes on from what is kept"
        )
    return f"{job.id}: {'done already' if job.state == 'SUCCEEDED' else 'running already'}; nothing was started"


@contextmanager
def _goes_on(id: str, cluster: str) -> Iterator[None]:
    """Say of a Ctrl-C that a job goes on without it."""
    from sluice.infra.interrupts import Interrupted

    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"{id} goes on where it was started: `sluice logs {id} --cluster {cluster} --follow` follows it, and "
            f"`sluice stop {id} --cluster {cluster}` ends it"
        ) from error


def _follow(jobs: Jobs, id: str) -> None:
    from sluice.flows.submit.follow import follow

    for said in follow(jobs, id):
        typer.echo(said, nl=False)
    ended = jobs.named(id)
    console.print(f"{id}: {ended.state.lower()}. {ended.message}")
    if ended.state != "SUCCEEDED":
        raise typer.Exit(1)
