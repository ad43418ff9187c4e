"""`sluice deploy` and `sluice serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()
console = Console(soft_wrap=True, markup=False, highlight=False)

File = Annotated[Path, typer.Argument(metavar="TIMETABLE", help="A YAML file: which commands run when.")]


@app.command()
def deploy(
    timetable: File,
    pool: Annotated[str, typer.Option(help="The work pool whose workers run them, where Sluice is installed.")],
) -> None:
    """Put a timetable on the Prefect server of PREFECT_API_URL."""
    from sluice.flows.schedule.deploy import deploy as put

    for line in put(timetable, pool):
        console.print(line)


@app.command()
def serve(timetable: File) -> None:
    """Run a timetable from this process, with a Prefect server of its own."""
    from sluice.flows.schedule.serve import serve as run

    run(timetable, console)
