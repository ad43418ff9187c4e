"""A build as a user asks for it: plan, run, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from sluice.flows.dataset.causes import causes
from sluice.flows.dataset.flow import build_dataset
from sluice.flows.dataset.indexing import prepare_build
from sluice.flows.dataset.show_plan import warnings
from sluice.infra.storage import Storage
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.version.manifest import Version, table_rows


def run_build(
    config: DatasetConfig, console: Console, retry: bool = False, limit: int | None = None, prune: bool = False
) -> None:
    """Bring a data set up to date, and print its version, what was left out, and where it lies."""
    build = prepare_build(config, prune, retry)
    for line in warnings(build):
        console.print(line, style="yellow")
    version = build_dataset(build, console, retry, limit)
    counts = version.manifest["counts"]
    console.print(
        f"{version.dataset} {version.id}: {counts['records']} records from {counts['images']} images "
        f"({counts['duplicates']} duplicates, {counts['quarantined']} quarantined, {counts['filtered']} filtered)"
    )
    for line in _left_out_images(build.storage, version):
        console.print(line, style="yellow", highlight=False, markup=False)
    console.print(f"{build.storage.uri}/{version.prefix}")


def _left_out_images(storage: Storage, version: Version) -> Iterator[str]:
    """The causes for which a version left images out, with one of each, and where all are listed."""
    counts = version.manifest["counts"]
    if counts["quarantined"] + counts["filtered"]:
        yield "Left out (all of them in quarantine.parquet and on the page):"
        yield from causes(table_rows(storage, version, "quarantine.parquet"))
