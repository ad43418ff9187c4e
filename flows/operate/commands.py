"""`sluice status`, `sluice lineage`, `sluice gc`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sluice.infra.printable import printable_lines

app = typer.Typer()
console = Console(soft_wrap=True, markup=False, highlight=False)
DEFAULT = "sluice-data"

Trained = Annotated[list[Path] | None, typer.Option(help="A folder of trainings; may be given several times.")]


@app.command()
def status(
    out: Annotated[str | None, typer.Argument(help=f"Where data sets were built to; {DEFAULT} unless given.")] = None,
    trained: Trained = None,
    composed: Annotated[list[str] | None, typer.Option(help="A folder of composed pictures, or s3://.")] = None,
    cluster: Annotated[str | None, typer.Option(help="A cluster by name: the jobs that were submitted to it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """What there is, what runs, what failed, and the command that mends it."""
    import json
    from dataclasses import asdict

    from sluice.flows.operate.said import said
    from sluice.flows.operate.status import status as look
    from sluice.flows.submit.clusters import find_cluster
    from sluice.infra.storage import storage

    asked = out or (None if trained or composed or cluster else DEFAULT)
    named = find_cluster(cluster) if cluster else None
    found = look(storage(asked) if asked else None, trained or (), composed or (), named)
    if as_json:
        print(json.dumps(asdict(found), indent=1))
    else:
        for line in said(found, cluster):
            console.print(printable_lines(line))
    if found.damaged:
        raise typer.Exit(1)


@app.command()
def gc(
    out: Annotated[str | None, typer.Argument(help=f"Where data sets were built to; {DEFAULT} unless given.")] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Of each data set the newest N versions, and what aliases mean.")
    ] = None,
    keep_since: Annotated[str | None, typer.Option(help="Versions made since DATE, and what aliases mean.")] = None,
    grace: Annotated[str, typer.Option(help="What is younger stays; longer than any build pauses.")] = "24h",
    trained: Trained = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete; without it, only say what would go.")] = False,
) -> None:
    """Delete what no kept version needs: outputs, unfinished work, checkpoints of finished trainings but the last."""
    from sluice.flows.operate.gc import GarbageCollection
    from sluice.flows.operate.keeping import grace_of, wish_of
    from sluice.flows.operate.said_gc import said_gc
    from sluice.infra.storage import storage

    wish, asked = wish_of(keep, keep_since), out or (None if trained else DEFAULT)
    young, too_young = grace_of(grace, asked is not None, delete)
    told = GarbageCollection(wish, young, delete)(storage(asked) if asked else None, trained or ())
    for line in said_gc(told, delete, too_young):
        console.print(printable_lines(line))


@app.command()
def lineage(
    artifact: Annotated[str, typer.Argument(help="A picture, network, checkpoint, version of a data set, or a key.")],
    of: Annotated[str | None, typer.Option(help="The data set whose record the key means: OUT/datasets/NAME.")] = None,
) -> None:
    """From an artifact back to images, configurations, weights and code."""
    from sluice.flows.operate.lineage import lineage as trace

    for line in trace(artifact, of).lines():
        console.print(line)
