"""`sluice compose`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from sluice.flows.compose.run.flow import Composed

app = typer.Typer()


@app.command()
def compose(
    job: Annotated[Path | None, typer.Argument(help="A YAML file; --example shows some.")] = None,
    out: Annotated[str, typer.Option(help="Where the pictures go: a folder, or s3://.")] = "composed",
    set_: Annotated[list[str] | None, typer.Option("--set", help="a.b=VALUE, over the file's.")] = None,
    example: Annotated[str | None, typer.Option(help="Print a commented job of this name.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="A .parquet, .csv or .jsonl file: each row's columns over the job's settings.")
    ] = None,
    safety: Annotated[
        str | None, typer.Option(help="What judges the pictures: open-nsfw, a folder's classifier, or none.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Over so many actors of Ray.")] = None,
    ray_address: Annotated[str | None, typer.Option(help="HOST:PORT of a Ray cluster, whose actors make them.")] = None,
    again: Annotated[
        str | None, typer.Option(help="Make this picture, a file or s3://, once more by the record beside it.")
    ] = None,
    page: Annotated[bool, typer.Option(help="Watch the first batch, and show all in index.html beside them.")] = True,
) -> None:
    """Pictures under several conditions at once, by a job file."""
    from sluice.flows.compose.tree.job_file import example as job_example
    from sluice.flows.compose.tree.job_file import in_lines_of, read_job

    if example is not None:
        typer.echo(job_example(example), nl=False)
        return
    if again is not None and (job or set_ or table or safety or workers or ray_address):
        raise typer.BadParameter("--again makes the picture as its record says: beside it goes --out alone")
    if job is None and again is None:
        raise typer.BadParameter("name a job file, or --example, or --again")
    settings = [*(set_ or ()), *([f"safety={safety}"] if safety else ())]
    asked = read_job(job, settings) if job is not None and table is None else None

    from rich.console import Console

    from sluice.flows.compose.run import flow  # takes long to load, and what is wrong with a job is said before
    from sluice.flows.compose.run.runs import Workers

    console = Console(soft_wrap=True, markup=False, highlight=False)
    over = Workers(workers, ray_address) if workers or ray_address else None
    if again is not None:
        console.print(flow.again(again, out, console))
    elif job is not None and asked is not None:
        with in_lines_of(job):
            composed = flow.compose(asked, job.parent, out, console, over, page)
        _say(composed, out, page, console)
    elif job is not None and table is not None:
        _say(flow.compose_table(table, job, settings, out, console, over, page), out, page, console)


def _say(composed: Composed, out: str, page: bool, console: Console) -> None:
    console.print(f"{len(composed.made)} pictures in {out}, each with a .json that says how it was made")
    if page:
        console.print(f"{out}/index.html shows them")
    bad = [*composed.quarantined, *composed.wrong]
    if bad:
        console.print(f"{len(bad)} could not be made: {out}/quarantine says why", style="yellow")
    if bad and not composed.made:
        raise typer.Exit(1)
