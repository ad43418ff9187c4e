"""A version without removed records, from its own tables and what is left of its shards: nothing is planned or run."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.commits import Commit
from sluice.infra.storage import Storage
from sluice.preprocess.planning.cut import Cut
from sluice.preprocess.planning.removed import tombstone
from sluice.preprocess.shards import ShardError
from sluice.preprocess.version.making import QUARANTINE, Counts
from sluice.preprocess.version.manifest import Version, table_rows

ID_DIGITS = 12


@dataclass(frozen=True)
class Left:
    """What is left of the shards that lose records: their cuts by id, the new commits by the old tar's path, and how
    many images of each removed key there were."""

    cuts: Mapping[str, Cut]
    outputs: Mapping[str, Commit]
    images: Counter[str]


@dataclass(frozen=True)
class CutVersion:
    """A version without removed records: its manifest, its tables' rows, and the places of the shards that changed."""

    manifest: dict[str, Any]
    outputs: list[dict[str, Any]]
    quarantine: list[dict[str, str]]
    ordinals: frozenset[int]

    @property
    def files(self) -> dict[str, bytes]:
        """Its tables, as they lie beside the manifest."""
        return {
            "shards.parquet": _parquet(self.outputs, None),
            "quarantine.parquet": _parquet(self.quarantine, QUARANTINE),
        }


def holds(version: Version, left: Left) -> bool:
    """Whether a version has shards that lose records."""
    return any(shard in left.cuts for _, shard, _ in version.manifest["shards"])


def cut_version(storage: Storage, version: Version, left: Left) -> CutVersion:
    """What a version says without the removed records. Tables that were cut already, before a kill, stay so.

    Raises ShardError where a tar that the version names is missing.
    """
    manifest, cuts = version.manifest, left.cuts
    outputs = [
        row for old in table_rows(storage, version, "shards.parquet") for row in _output(storage, version, old, left)
    ]
    quarantine = [
        {**entry, "shard": cuts[entry["shard"]].new if entry["shard"] in cuts else entry["shard"]}
        for entry in table_rows(storage, version, "quarantine.parquet")
        if entry["shard"] not in cuts or entry["key"] not in cuts[entry["shard"]].keys
    ]
    shards = [row for old in manifest["shards"] for row in _shard(old, cuts)]
    changed = frozenset(ordinal for ordinal, shard, _ in manifest["shards"] if shard in cuts)
    said = {
        **{name: value for name, value in manifest.items() if name != "withdrawn"},
        "counts": asdict(_counts(manifest, shards, quarantine, left)),
        "shards": shards,
        "planned_shards": manifest["planned_shards"] - (len(manifest["shards"]) - len(shards)),
        "outputs": _digest(outputs),
        "quarantine": _digest(quarantine),
        "bytes": sum(int(row["bytes"]) for row in outputs),
    }
    return CutVersion(said, outputs, quarantine, changed)


def _shard(row: Sequence[Any], cuts: Mapping[str, Cut]) -> list[list[Any]]:
    ordinal, shard, records = row
    cut = cuts.get(shard)
    return [[ordinal, shard, records]] if cut is None else [[ordinal, cut.new, cut.left]] if cut.new else []


def _output(storage: Storage, version: Version, row: dict[str, Any], left: Left) -> list[dict[str, Any]]:
    cut = left.cuts.get(row["shard"])
    if cut is None:
        return [row]
    if not cut.new:
        return []
    new = left.outputs.get(row["file"])
    if new is None:
        raise ShardError(
            f"{storage.uri}/{row['file']} is missing, and version {version.id} is made of it. Run the build that made "
            f"it again, or delete {version.prefix} as a whole, and remove the same keys again."
        )
    folder = row["file"].rpartition("/")[0]
    return [
        {
            **row,
            "shard": cut.new,
            "file": f"{folder}/{new.file}",
            "sidecar": f"{folder}/{new.sidecar}" if new.sidecar else "",
            "digest": new.digest,
            "bytes": new.size,
            "records": new.records,
        }
    ]


def _counts(
    manifest: Mapping[str, Any], shards: Sequence[Sequence[Any]], quarantine: Sequence[Mapping[str, str]], left: Left
) -> Counts:
    """Counted anew; duplicates of removed images, as far as the index knows them, are no longer counted."""
    gone = [key for _, shard, _ in manifest["shards"] if shard in left.cuts for key in left.cuts[shard].keys]
    further = sum(max(left.images[key] - 1, 0) for key in gone)
    duplicates = max(manifest["counts"]["duplicates"] - further, 0)
    records = sum(row[2] for row in shards) - sum(bool(entry["shard"]) for entry in quarantine)
    filtered = sum(entry["kind"] == "filtered" for entry in quarantine)
    return Counts(records + duplicates + len(quarantine), records, duplicates, len(quarantine) - filtered, filtered)


def version_id(manifest: Mapping[str, Any]) -> str:
    """The digest of what a manifest says, by which its version is named."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]


def withdrawn_manifest(version: Version, cut: CutVersion, keys: Iterable[str]) -> dict[str, Any]:
    """The manifest of a version that lost records and keeps its id: with their tombstones, and a digest of its own."""
    said = {**cut.manifest, "withdrawn": {"keys": sorted({*withdrawn_from(version), *map(tombstone, keys)})}}
    return {**said, "withdrawn": {**said["withdrawn"], "digest": version_id(said)}}


def withdrawn_from(version: Version) -> list[str]:
    """The tombstones of the images that were withdrawn from a version since it was made."""
    keys: list[str] = version.manifest.get("withdrawn", {"keys": []})["keys"]
    return keys


def is_as_named(version: Version) -> bool:
    """Whether a manifest is the one that its version was named by, or what a withdrawal has left of it."""
    withdrawn = version.manifest.get("withdrawn")
    if not isinstance(withdrawn, dict):
        return version_id(version.manifest) == version.id
    rest = {name: value for name, value in withdrawn.items() if name != "digest"}
    return version_id({**version.manifest, "withdrawn": rest}) == withdrawn.get("digest")


def _digest(rows: Sequence[Mapping[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def _parquet(rows: Sequence[Mapping[str, Any]], schema: pa.Schema | None) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), stream, compression="zstd")
    return stream.getvalue()
