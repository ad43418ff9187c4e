"""`sluice dataset`: plan, build, show, verify, diff, drift, export, alias, remove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sluice.flows.local_path import local_path

if TYPE_CHECKING:
    from sluice.preprocess.planning.config import DatasetConfig

app = typer.Typer(no_args_is_help=True, help="Images to verified webdataset shards.")
console = Console(soft_wrap=True, markup=False)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The YAML file, or a ready one by name: photos.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a value: stages.canny.low=80.")]
SourceOption = Annotated[str | None, typer.Option(help="A folder or s3:// prefix, or KIND:URI.")]
OutOption = Annotated[str | None, typer.Option(help="Where everything goes: a folder or s3://bucket/prefix.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first N shards of the plan.")]
RetryOption = Annotated[bool, typer.Option("--retry", help="Run what is quarantined again, and nothing else.")]
PruneOption = Annotated[bool, typer.Option("--prune", help="Let go of images that the source no longer has.")]
VersionOption = Annotated[str, typer.Option("--version", help="A version's id, its beginning, or an alias.")]
DataArgument = Annotated[str, typer.Argument(metavar="DATA", help="OUT/datasets/NAME, or NAME of one in --out.")]
PlaceOption = Annotated[
    str | None, typer.Option("--out", help="Where NAME lies: a folder or s3://bucket/prefix; sluice-data unless given.")
]
READY = Path("photos")


def _config(
    config: Path, settings: Sequence[str] | None, source: str | None = None, out: str | None = None
) -> DatasetConfig:
    from sluice.flows.configs import find_config
    from sluice.preprocess.planning.config import load_config

    return load_config(find_config(config), settings or [], source, out)


@app.command()
def plan(
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    retry: RetryOption = False,
    limit: LimitOption = None,
    prune: PruneOption = False,
    batches: Annotated[bool, typer.Option("--batches", help="Measure memory and propose batch sizes.")] = False,
) -> None:
    """Say what a build would run and why; brings the index up to date and runs nothing else."""
    from sluice.flows.dataset.indexing import prepare_build
    from sluice.flows.dataset.show_plan import propose_batches, show_plan
    from sluice.preprocess.planning.build import read_commits
    from sluice.preprocess.planning.forecast import forecast

    prepared = prepare_build(_config(config, settings, source, out), prune, retry)
    shards = prepared.plan.shards[:limit]
    stages = forecast(prepared, read_commits(prepared), shards, retry)
    for part in show_plan(prepared, stages, len(shards)):
        console.print(part)
    if batches:
        for proposal in propose_batches(prepared):
            console.print(proposal, highlight=False)


@app.command()
def build(
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    retry: RetryOption = False,
    limit: LimitOption = None,
    prune: PruneOption = False,
) -> None:
    """Bring the data set up to date; resumes by itself."""
    from sluice.flows.dataset.build import run_build

    run_build(_config(config, settings, source, out), console, retry, limit, prune)


@app.command()
def export(
    to: Annotated[str, typer.Option("--to", help="A folder or s3://bucket/prefix of its own.")],
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    version: VersionOption = "latest",
) -> None:
    """Write a version as plain webdataset tars elsewhere, with a parquet beside each and the card."""
    from rich.progress import Progress

    from sluice.flows.dataset.show_plan import size_text
    from sluice.infra.storage import storage
    from sluice.preprocess.version.export import export_version
    from sluice.preprocess.version.manifest import read_version

    resolved = _config(config, settings, source, out)
    place, target = storage(resolved.out), storage(to)
    found = read_version(place, resolved.name, version)
    with Progress(console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("export", total=len(found.manifest["shards"]))
        exported = export_version(place, found, target, lambda _: bars.advance(bar))
    records, size = sum(e.records for e in exported), sum(e.size for e in exported)
    console.print(f"{found.dataset} {found.id}: {records} records, {size_text(size)}, in {target.uri}")


@app.command()
def verify(
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    version: VersionOption = "latest",
    absent: Annotated[
        Path | None, typer.Option(help="A file of keys, one a line: prove that nothing under OUT holds them.")
    ] = None,
) -> None:
    """Read a whole version and say exactly what is wrong with it; exit code 1 if anything is."""
    from sluice.flows.dataset.keys import read_keys
    from sluice.flows.dataset.verify_diff import show_found, show_problems
    from sluice.infra.storage import storage
    from sluice.preprocess.verify.absent import find_keys
    from sluice.preprocess.verify.version import verify as check
    from sluice.preprocess.version.manifest import read_version

    resolved = _config(config, settings, source, out)
    place = storage(resolved.out)
    if absent is not None:
        keys = read_keys(absent)
        held = list(find_keys(place, keys))
        console.print(show_found(place, len(keys), held), markup=False, highlight=False)
        raise typer.Exit(int(bool(held)))
    found = read_version(place, resolved.name, version)
    problems = check(place, found)
    console.print(show_problems(found, problems), markup=False, highlight=False)
    if problems:
        raise typer.Exit(1)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(help="A version's id, its beginning, or an alias.")],
    b: Annotated[str, typer.Argument(help="The version to compare it with.")] = "latest",
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """Records added, removed and changed between two versions, what explains it, and how the distributions drifted."""
    import json

    from sluice.flows.dataset.verify_diff import show_diff
    from sluice.infra.storage import storage
    from sluice.preprocess.compare.diff import diff as compare
    from sluice.preprocess.version.manifest import read_version

    resolved = _config(config, settings, source, out)
    place = storage(resolved.out)
    found = compare(place, read_version(place, resolved.name, a), read_version(place, resolved.name, b))
    if as_json:
        print(json.dumps(found.as_dict(), indent=1))
        return
    for part in show_diff(found):
        console.print(part, markup=False, highlight=False)


@app.command()
def drift(
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    version: VersionOption = "latest",
    against: Annotated[str | None, typer.Option(help="Not the version before it, but this id or alias.")] = None,
    fail_over: Annotated[
        float | None, typer.Option(min=0, help="End with exit code 1 where a stability index is over this.")
    ] = None,
    page: Annotated[Path | None, typer.Option(parser=local_path, help="Write the page here too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything but the pictures, as JSON.")] = False,
) -> None:
    """Report how far a version drifted from the one before: a page and a JSON beside its manifest, and a verdict."""
    from sluice.flows.dataset.drift import run_drift

    if run_drift(_config(config, settings, source, out), version, against, fail_over, page, console, as_json):
        raise typer.Exit(1)


@app.command()
def show(
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    version: VersionOption = "latest",
    key: Annotated[str | None, typer.Option(help="One record, in full size.")] = None,
    page: Annotated[Path | None, typer.Option(parser=local_path, help="Write the page here too.")] = None,
) -> None:
    """Write one self-contained HTML page of a version, or of one of its records."""
    from sluice.flows.dataset.show import show_dataset

    console.print(str(show_dataset(_config(config, settings, source, out), version, key, page)))


@app.command()
def alias(
    data: DataArgument,
    alias: Annotated[str, typer.Argument(help="The alias to set: latest, or a name of your own.")],
    version: Annotated[str, typer.Argument(help="A version's id, its beginning, or another alias.")],
    out: PlaceOption = None,
) -> None:
    """Let an alias point to a version, so as to go back to an earlier one."""
    from sluice.flows.dataset.named import find_dataset
    from sluice.preprocess.version.alias import set_alias

    place, name = find_dataset(data, out)
    found = set_alias(place, name, alias, version)
    console.print(f"{name} {alias} is now {found.id}: {found.manifest['counts']['records']} records", highlight=False)


@app.command()
def remove(
    data: DataArgument,
    keys: Annotated[Path | None, typer.Option(help="A file with one key a line.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A key; may be given several times.")] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Delete them at once from everything under OUT, older versions too.")
    ] = False,
    trained: Annotated[
        list[Path] | None, typer.Option(help="List networks in this folder that were trained on them; may be repeated.")
    ] = None,
    out: PlaceOption = None,
) -> None:
    """Take records down for good: a new version without them, and no later build brings them back."""
    from sluice.flows.dataset.keys import read_keys
    from sluice.flows.dataset.named import find_dataset
    from sluice.flows.dataset.remove import run_remove

    run_remove(*find_dataset(data, out), read_keys(keys, key or ()), console, withdraw, trained or ())
