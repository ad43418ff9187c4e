"""Merged shards: plain webdataset tars that anyone can read, each with a parquet of its records' scalars beside it."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.commits import Commit, CommitLog
from sluice.infra.errors import SluiceError
from sluice.infra.scratch import scratch_folder
from sluice.infra.storage import MissingFile, Storage
from sluice.infra.tables import read_table
from sluice.preprocess.shards import join, read_shard, write_shard
from sluice.preprocess.units.output import fetch
from sluice.preprocess.version.manifest import Version, table_rows

EXPORTERS = 4
OWN_FILES = ("manifest.json", "shards.parquet", "quarantine.parquet", "README.md", "export.json")


class OccupiedFolder(SluiceError):
    """The folder to export to holds something else."""


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
        table = read_table(storage, output["sidecar"]).to_pylist() if output["sidecar"] else []
        found = {row["key"]: row for row in table}
        merged = found if merged is None else {k: {**v, **found[k]} for k, v in merged.items() if k in found}
    return [row for _, row in sorted((merged or {}).items())]


def export_units(version: Version, rows: Iterable[dict[str, Any]], prefix: str, tars: bool) -> list[ExportUnit]:
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
    """Merge a whole version into plain tars at the top of another storage, with its card; `done` hears of each one.

    Raises OccupiedFolder, before anything is written, where that holds more than an earlier export of the same shards,
    or lies among the outputs of stages.
    """
    units = export_units(version, table_rows(storage, version, "shards.parquet"), "", tars=True)
    _check_free(storage, destination, units)

    def run(unit: ExportUnit) -> Exported:
        exported = export_shard(storage, destination, unit)
        done(exported)
        return exported

    with ThreadPoolExecutor(EXPORTERS) as exporters:
        exported = list(exporters.map(run, units))
    destination.write("export.json", list_exported(exported))
    destination.write("README.md", storage.read(f"{version.prefix}/README.md"))
    return exported


def _check_free(storage: Storage, destination: Storage, units: Sequence[ExportUnit]) -> None:
    """A README.md is an export's own where an `export.json` is beside it, and else somebody's."""
    out, to = (uri if "://" in uri else str(Path(uri).resolve()) for uri in (storage.uri, destination.uri))
    if f"{to}/".startswith(f"{out}/stages/"):
        raise OccupiedFolder(
            f"{destination.uri} lies among the outputs of stages, where garbage collection deletes what no version "
            "names. Give --to a folder elsewhere."
        )
    own = {f"{unit.target}{suffix}" for unit in units for suffix in (".tar", ".parquet")} | {"export.json"}
    if destination.head("export.json") is not None:
        own.add("README.md")
    stranger = next((entry.path for entry in destination.list() if entry.path not in own), None)
    if stranger is not None:
        raise OccupiedFolder(
            f"{destination.uri} holds {stranger}, which is no part of this export; readers of a data set take in every "
            "tar of its folder, and its README.md would be replaced. Give --to an empty folder, or a new one."
        )


def list_exported(exported: Sequence[Exported]) -> bytes:
    """`export.json`: the merged shards with their digests."""
    listed = [asdict(e) for e in sorted(exported, key=lambda e: e.target)]
    return json.dumps(listed, indent=1).encode()


def merged_already(storage: Storage, version: Version, units: Sequence[ExportUnit]) -> list[Exported]:
    """The merged shards of these units that `export.json` vouches for and that are there, at the size it says."""
    listed = listed_exports(storage, version)
    sizes = {entry.path: entry.size for entry in storage.list(f"{version.prefix}/")}
    return [
        made
        for unit in units
        if (made := listed.get(unit.target)) is not None
        and f"{unit.target}.parquet" in sizes
        and (sizes.get(f"{unit.target}.tar") == made.size if made.digest else not (unit.tar and made.records))
    ]


def is_whole(storage: Storage, version: Version, units: Sequence[ExportUnit]) -> bool:
    """Whether a version is there with every file of its own, its merged shards included."""
    there = {entry.path for entry in storage.list(f"{version.prefix}/")}
    return all(f"{version.prefix}/{name}" in there for name in OWN_FILES) and (
        len(merged_already(storage, version, units)) == len(units)
    )


def read_export(storage: Storage, prefix: str) -> dict[str, Exported]:
    """The merged shards that `export.json` under a prefix vouches for, by target; none where it is not there."""
    try:
        listed = json.loads(storage.read(f"{prefix}/export.json"))
    except MissingFile:
        return {}
    return {entry["target"]: Exported(**entry) for entry in listed}


def listed_exports(storage: Storage, version: Version) -> dict[str, Exported]:
    """The merged shards that a version's `export.json` vouches for; a damaged list vouches for nothing."""
    try:
        return read_export(storage, version.prefix)
    except (ValueError, TypeError, KeyError):
        return {}
