"""`sluice status`, `sluice lineage`, `sluice gc`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()
console = Console(soft_wrap=True, markup=False, highlight=False)
DEFAULT = "sluice-data"

Trained = Annotated[list[Path] | None, typer.Option(help="A folder of trainings; may be given several times.")]


@app.command()
def status(
    out: Annotated[str | None, typer.Argument(help=f"Where data sets were built to; {DEFAULT} unless given.")] = None,
    trained: Trained = None,
    composed: Annotated[list[str] | None, typer.Option(help="A folder of composed pictures, or s3://.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """What there is, what runs, what failed, and the command that mends it."""
    import json
    from dataclasses import asdict

    from sluice.flows.operate.said import said
    from sluice.flows.operate.status import status as look
    from sluice.infra.storage import storage

    asked = out or (None if trained or composed else DEFAULT)
    found = look(storage(asked) if asked else None, trained or (), composed or ())
    if as_json:
        print(json.dumps(asdict(found), indent=1))
        return
    for line in said(found):
        console.print(line)
