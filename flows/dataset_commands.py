"""`sluice dataset`: plan, build, show, verify, diff, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="Images to verified webdataset shards.")
console = Console(soft_wrap=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The YAML file, or a ready one by name: photos.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a value: stages.canny.low=80.")]
SourceOption = Annotated[str | None, typer.Option(help="A folder or s3:// prefix, or KIND:URI.")]
OutOption = Annotated[str | None, typer.Option(help="Where everything goes: a folder or s3://bucket/prefix.")]


@app.command()
def build(
    config: ConfigOption = Path("photos"),
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    retry: Annotated[bool, typer.Option(help="Run only what is quarantined.")] = False,
    limit: Annotated[int | None, typer.Option(help="Only the first N shards of the plan.")] = None,
    prune: Annotated[bool, typer.Option(help="Let go of images that the source no longer has.")] = False,
) -> None:
    """Bring the data set up to date; resumes by itself."""
    from sluice.flows.configs import find_config
    from sluice.flows.dataset import build_dataset, scan_runner
    from sluice.preprocess.build import prepare
    from sluice.preprocess.config import load_config

    resolved = load_config(find_config(config), settings or [], source, out)
    prepared = prepare(resolved, scan_runner(resolved.workers, resolved.ray_address), prune)
    version = build_dataset(prepared, console, retry, limit)
    counts = version.manifest["counts"]
    console.print(
        f"{version.dataset} {version.id}: {counts['records']} records from {counts['images']} images "
        f"({counts['duplicates']} duplicates, {counts['quarantined']} quarantined, {counts['filtered']} filtered)\n"
        f"{prepared.storage.uri}/{version.prefix}"
    )


@app.command()
def plan() -> None:
    """What would run and why."""
