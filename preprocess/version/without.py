"""The version after a removal: the last one less some records. No stage runs; most merged shards are copied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sluice.infra.commits import Commit
from sluice.infra.scratch import scratch_folder
from sluice.infra.storage import Storage
from sluice.preprocess.planning.cut import Cut, copies, cut_plans, find_cuts
from sluice.preprocess.planning.plan import read_plans
from sluice.preprocess.units.cut import cut_outputs, outputs_in
from sluice.preprocess.version.card import dataset_card
from sluice.preprocess.version.cut import Left, cut_version, holds, version_id
from sluice.preprocess.version.export import (
    Exported,
    export_shard,
    export_units,
    list_exported,
    listed_exports,
    merged_already,
)
from sluice.preprocess.version.manifest import Version, read_version, store_version, table_rows, version_ids


def remove_records(storage: Storage, dataset: str, gone: Collection[str]) -> Version | None:
    """Take the records of these keys out of a data set's plans, and make a version without them.

    None where the last one holds none of them. Raises UnknownVersion, ShardError.
    """
    last = read_version(storage, dataset) if version_ids(storage, dataset) else None
    alive = {shard.id for plan, _ in read_plans(storage, f"datasets/{dataset}/plan").values() for shard in plan.shards}
    alive |= {shard for _, shard, _ in last.manifest["shards"]} if last else set()
    cuts = {old: cut for old, cut in find_cuts(storage, dataset, gone).items() if old in alive}
    folders = stage_folders(storage, dataset)
    tars = {old: outputs_in(storage, folders, old) for old in cuts}
    left = Left(cuts, leave(storage, cuts, tars), copies(storage, dataset, gone))
    cut_plans(storage, dataset, left.cuts, left.images)
    return version_without(storage, last, left) if last and holds(last, left) else None


def stage_folders(storage: Storage, dataset: str) -> list[str]:
    """Where the stages of all versions of a data set keep their outputs."""
    manifests = (read_version(storage, dataset, version).manifest for version in version_ids(storage, dataset))
    return sorted({f"stages/{s['name']}/{s['fingerprint']}" for manifest in manifests for s in manifest["stages"]})


def leave(storage: Storage, cuts: Mapping[str, Cut], tars: Mapping[str, Sequence[str]]) -> dict[str, Commit]:
    """Write what is left of the outputs of cut shards: old tar's path -> new commit."""
    return {old: new for shard, cut in cuts.items() for old, new in cut_outputs(storage, tars[shard], cut).items()}


def version_without(storage: Storage, last: Version, left: Left) -> Version:
    """Make the version, its merged shards first and its manifest last; `latest` points to it then."""
    cut = cut_version(storage, last, left)
    version = Version(last.dataset, version_id(cut.manifest), cut.manifest)
    merged = _merge(storage, last, version, cut.outputs, cut.ordinals)
    files = {"README.md": dataset_card(version).encode(), "export.json": list_exported(merged)}
    store_version(storage, version, {**cut.files, **files})
    return version


def _merge(
    storage: Storage, last: Version, version: Version, outputs: Sequence[dict[str, Any]], changed: Iterable[int]
) -> list[Exported]:
    """Copies of the merged shards of the last version, but of those that changed."""
    rows = [row for row in table_rows(storage, last, "shards.parquet") if row["ordinal"] not in set(changed)]
    tars = any(made.digest for made in listed_exports(storage, last).values())
    same = merged_already(storage, last, export_units(last, rows, f"{last.prefix}/", tars))
    there = {made.target.removeprefix(last.prefix): made for made in same}
    units = export_units(version, outputs, f"{version.prefix}/", tars)
    olds = [there.get(unit.target.removeprefix(version.prefix)) for unit in units]
    return [
        _copy(storage, old, unit.target) if old else export_shard(storage, storage, unit)
        for unit, old in zip(units, olds, strict=True)
    ]


def _copy(storage: Storage, made: Exported, target: str) -> Exported:
    """A merged shard at another place; on a disk a second name for the same bytes."""
    for suffix in (".parquet", ".tar") if made.digest else (".parquet",):
        with scratch_folder() as scratch:
            storage.upload(f"{target}{suffix}", storage.fetch(f"{made.target}{suffix}", scratch))
    return replace(made, target=target)
