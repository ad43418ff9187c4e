"""`sluice dataset`: plan, build, show, verify, diff, export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sluice.infra.storage import Storage
    from sluice.preprocess.planning.build import Build
    from sluice.preprocess.planning.config import DatasetConfig
    from sluice.preprocess.planning.forecast import StagePlan
    from sluice.preprocess.version.manifest import Version

app = typer.Typer(no_args_is_help=True, help="Images to verified webdataset shards.")
console = Console(soft_wrap=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The YAML file, or a ready one by name: photos.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a value: stages.canny.low=80.")]
SourceOption = Annotated[str | None, typer.Option(help="A folder or s3:// prefix, or KIND:URI.")]
OutOption = Annotated[str | None, typer.Option(help="Where everything goes: a folder or s3://bucket/prefix.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first N shards of the plan.")]
RetryOption = Annotated[bool, typer.Option("--retry", help="Run what is quarantined again, and nothing else.")]
PruneOption = Annotated[bool, typer.Option("--prune", help="Let go of images that the source no longer has.")]
VersionOption = Annotated[str, typer.Option("--version", help="A version's id, its beginning, or an alias.")]
READY = Path("photos")
SHOWN_IMAGES = 5


def _config(
    config: Path, settings: Sequence[str] | None, source: str | None = None, out: str | None = None
) -> DatasetConfig:
    from sluice.flows.configs import find_config
    from sluice.preprocess.planning.config import load_config

    return load_config(find_config(config), settings or [], source, out)


def _prepare(config: DatasetConfig, prune: bool, retry: bool) -> Build:
    from sluice.flows.indexing import scan_runner
    from sluice.preprocess.planning.build import prepare

    return prepare(config, scan_runner(config.ray_address, config.workers), prune, retry)


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
    from sluice.preprocess.planning.build import read_commits
    from sluice.preprocess.planning.forecast import forecast

    build = _prepare(_config(config, settings, source, out), prune, retry)
    shards = build.plan.shards[:limit]
    stages = forecast(build, read_commits(build), shards, retry)
    console.print(_summary(build, len(shards)))
    console.print(_table(stages))
    for stage in stages:
        for note in stage.notes:
            console.print(f"{stage.name}: {note}", style="yellow")
    for line in build.left_out:
        console.print(line, style="yellow")
    console.print(_cost(stages))
    if batches:
        _propose_batches(build)


def _propose_batches(build: Build) -> None:
    import os

    from sluice.preprocess.planning.batches import propose

    side = next((n.stage.parameters.size for n in build.nodes if n.name == "image"), 512)
    for node in build.nodes:
        proposal = propose(node, side, build.config.workers or os.cpu_count() or 1)
        if proposal is not None:
            console.print(str(proposal), highlight=False)


def _summary(build: Build, shards: int) -> str:
    plan, change = build.plan, build.change
    gone = f"; {len(change.gone)} gone from the source (kept until --prune)" if change.gone else ""
    limited = f"; the first {shards} shards only" if shards < len(plan.shards) else ""
    return (
        f"{build.config.name}: {plan.images} images ({len(change.unread)} files read now), {plan.records} records in "
        f"{len(plan.shards)} shards, {plan.duplicates} duplicates, {len(plan.unreadable)} unreadable{gone}{limited}"
    )


def _table(stages: Sequence[StagePlan]) -> Table:
    table = Table("stage", "model", "runs", "cached", "why", "time", "bytes", box=None, pad_edge=False)
    for stage in stages:
        about = "" if stage.measured else " (assumed)"
        table.add_row(
            stage.name,
            stage.model,
            f"{stage.run_records} records, {stage.run_shards} shards" if stage.run_shards else "-",
            f"{stage.cached_shards} shards",
            stage.reason,
            f"{_duration(stage.seconds)}{about}" if stage.run_shards else "",
            _size(stage.bytes) if stage.run_shards else "",
        )
    return table


def _cost(stages: Sequence[StagePlan]) -> str:
    seconds, size = sum(s.seconds for s in stages), sum(s.bytes for s in stages)
    if not any(s.run_shards for s in stages):
        return "Nothing to run."
    return f"In all about {_duration(seconds)} of one worker and {_size(size)} of stage output."


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


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
    run_build(_config(config, settings, source, out), retry, limit, prune)


def run_build(config: DatasetConfig, retry: bool = False, limit: int | None = None, prune: bool = False) -> None:
    """Plan, build, and say what came of it."""
    from sluice.flows.dataset import build_dataset

    prepared = _prepare(config, prune, retry)
    for node in prepared.nodes:
        for note in node.notes:
            console.print(f"{node.name}: {note}", style="yellow")
    for line in prepared.left_out:
        console.print(line, style="yellow")
    version = build_dataset(prepared, console, retry, limit)
    counts = version.manifest["counts"]
    console.print(
        f"{version.dataset} {version.id}: {counts['records']} records from {counts['images']} images "
        f"({counts['duplicates']} duplicates, {counts['quarantined']} quarantined, {counts['filtered']} filtered)"
    )
    for line in _left_out_images(prepared.storage, version):
        console.print(line, style="yellow", highlight=False, markup=False)
    console.print(f"{prepared.storage.uri}/{version.prefix}")


def _left_out_images(storage: Storage, version: Version) -> list[str]:
    """The first images that a version left out, with stage and reason, and where the others are listed."""
    from sluice.preprocess.version.manifest import read_table

    counts = version.manifest["counts"]
    if not counts["quarantined"] + counts["filtered"]:
        return []
    entries = read_table(storage, version, "quarantine.parquet")
    lines = [f"  {e['uri']} ({e['stage']}, {e['kind']}): {e['reason'].splitlines()[0]}" for e in entries[:SHOWN_IMAGES]]
    more = len(entries) - len(lines)
    return ["Left out:", *lines] + ([f"  and {more} more, in quarantine.parquet and on the page"] if more else [])


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
    console.print(f"{found.dataset} {found.id}: {records} records, {_size(size)}, in {target.uri}")


@app.command()
def verify(
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    version: VersionOption = "latest",
) -> None:
    """Read a whole version and say exactly what is wrong with it; exit code 1 if anything is."""
    from sluice.flows.verify_diff import show_problems
    from sluice.infra.storage import storage
    from sluice.preprocess.verify.version import verify as check
    from sluice.preprocess.version.manifest import read_version

    resolved = _config(config, settings, source, out)
    place = storage(resolved.out)
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

    from sluice.flows.verify_diff import show_diff
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
def show(
    config: ConfigOption = READY,
    settings: SetOption = None,
    source: SourceOption = None,
    out: OutOption = None,
    version: VersionOption = "latest",
    key: Annotated[str | None, typer.Option(help="One record, in full size.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the page here too.")] = None,
) -> None:
    """Write one self-contained HTML page of a version, or of one of its records."""
    from sluice.flows.show import show_dataset

    console.print(str(show_dataset(_config(config, settings, source, out), version, key, page)))
