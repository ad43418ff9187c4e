"""Merged shards: plain webdataset tars that anyone can read, each with a parquet of its records' scalars beside it."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.commits import Commit, CommitLog
from sluice.infra.scratch import scratch_folder
from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.shards import join, read_shard, write_shard
from sluice.preprocess.units.output import fetch
from sluice.preprocess.version.manifest import Version, read_table

EXPORTERS = 4


@dataclass(frozen=True)
class ExportUnit:
    """One shard of a version to merge: the stage outputs it is made of, and where it goes."""

    target: str
    outputs: Sequence[dict[str, Any]]
    tar: bool


@dataclass(frozen=True)
class Exported:
    """A merged shard: where, its digest and size, and how many records it holds."""

    target: str
    digest: str
    size: int
    records: int


def _opened(storage: Storage, output: dict[str, Any]) -> tuple[CommitLog, Commit]:
    prefix, _, file = output["file"].rpartition("/")
    return CommitLog(storage, prefix), Commit(
        output["shard"], file, output["digest"], output["bytes"], output["records"]
    )


def export_shard(storage: Storage, destination: Storage, unit: ExportUnit) -> Exported:
    """Merge one shard: `<target>.tar` where asked for and not empty, and `<target>.parquet`."""
    rows = scalars(storage, unit.outputs)
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream, compression="zstd")
    destination.write(f"{unit.target}.parquet", stream.getvalue())
    if not unit.tar or not rows:  # readers that look into the first tar to learn the fields trip over an empty one
        return Exported(unit.target, "", 0, len(rows))
    with scratch_folder() as scratch:
        paths = [fetch(*_opened(storage, output), scratch) for output in unit.outputs]
        merged = scratch / "merged.tar"
        written = write_shard(merged, join(read_shard(path.open("rb")) for path in paths))
        destination.upload(f"{unit.target}.tar", merged)
    return Exported(unit.target, written.digest, written.size, written.records)


def scalars(storage: Storage, outputs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scalars of the records that every stage kept, by key."""
    merged: dict[str, dict[str, Any]] | None = None
    for output in outputs:
        table = pq.read_table(io.BytesIO(storage.read(output["sidecar"]))).to_pylist() if output["sidecar"] else []
        found = {row["key"]: row for row in table}
        merged = found if merged is None else {k: {**v, **found[k]} for k, v in merged.items() if k in found}
    return [row for _, row in sorted((merged or {}).items())]


def export_units(version: Version, rows: Sequence[dict[str, Any]], prefix: str, tars: bool) -> list[ExportUnit]:
    """A unit for each shard of a version, from the rows of its `shards.parquet`."""
    outputs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        outputs[row["ordinal"]].append(row)
    return [
        ExportUnit(f"{prefix}{version.dataset}-{ordinal:05d}", of_shard, tars)
        for ordinal, of_shard in sorted(outputs.items())
    ]


def export_version(
    storage: Storage, version: Version, destination: Storage, done: Callable[[Exported], None]
) -> list[Exported]:
    """Merge a whole version into plain tars at the top of another storage, with its card; `done` hears of each one."""
    units = export_units(version, read_table(storage, version, "shards.parquet"), "", tars=True)

    def run(unit: ExportUnit) -> Exported:
        exported = export_shard(storage, destination, unit)
        done(exported)
        return exported

    with ThreadPoolExecutor(EXPORTERS) as exporters:
        exported = list(exporters.map(run, units))
    destination.write("README.md", storage.read(f"{version.prefix}/README.md"))
    destination.write("export.json", list_exported(exported))
    return exported


def list_exported(exported: Sequence[Exported]) -> bytes:
    """`export.json`: the merged shards with their digests."""
    listed = [asdict(e) for e in sorted(exported, key=lambda e: e.target)]
    return json.dumps(listed, indent=1).encode()


def is_whole(storage: Storage, version: Version) -> bool:
    """Whether a version is there with everything that was written before its manifest, its merged shards included."""
    sizes = {entry.path: entry.size for entry in storage.list(f"{version.prefix}/")}
    if f"{version.prefix}/manifest.json" not in sizes or f"{version.prefix}/export.json" not in sizes:
        return False
    merged = read_export(storage, version.prefix).values()
    tars = all(sizes.get(f"{shard.target}.tar") == shard.size for shard in merged if shard.digest)
    return tars and all(f"{shard.target}.parquet" in sizes for shard in merged)


def read_export(storage: Storage, prefix: str) -> dict[str, Exported]:
    """The merged shards that `export.json` under a prefix vouches for, by target; none where it is not there."""
    try:
        listed = json.loads(storage.read(f"{prefix}/export.json"))
    except MissingFile:
        return {}
    return {entry["target"]: Exported(**entry) for entry in listed}
