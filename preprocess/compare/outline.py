"""A version in outline, small enough for 10^5 shards: what tells its shards apart, and the outputs of a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.infra.tables import naming
from sluice.preprocess.record import Array
from sluice.preprocess.version.manifest import Version, table_rows
from sluice.preprocess.version.reading import StageOutput

# Shards are named by digests, so the first of them by name are a fair sample; equal shards of both versions are in it.
SAMPLED_SHARDS = 1000
NOBODY = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class Outline:
    """Of each shard the digests of its outputs by stage and the keys left out, uint64; outputs of the sampled shards.

    `reasons` counts what was left out by (stage, kind), what could not be read included.
    """

    version: Version
    digests: Mapping[str, Mapping[str, bytes]]
    sampled: Mapping[str, Mapping[str, StageOutput]]
    left_out: Mapping[str, Array]
    reasons: Mapping[tuple[str, str], int]

    def without(self, shard: str) -> Array:
        """The keys that stages left out of a shard, uint64, ascending."""
        return self.left_out.get(shard, NOBODY)

    def records(self, shards: Iterable[str]) -> int:
        """How many records these shards hold."""
        planned = {shard: records for _, shard, records in self.version.manifest["shards"]}
        return sum(planned[shard] - len(self.without(shard)) for shard in shards)


def outline(storage: Storage, version: Version) -> Outline:
    """Read a version's tables, batch by batch. Raises StorageError."""
    sample = set(sorted(shard for _, shard, _ in version.manifest["shards"])[:SAMPLED_SHARDS])
    digests: dict[str, dict[str, bytes]] = {}
    sampled: dict[str, dict[str, StageOutput]] = {}
    stages = {stage["name"]: stage["name"] for stage in version.manifest["stages"]}  # one string each, not one a row
    for row in table_rows(storage, version, "shards.parquet"):
        digests.setdefault(row["shard"], {})[stages[row["stage"]]] = bytes.fromhex(row["digest"][:16])
        if row["shard"] in sample:
            sampled.setdefault(row["shard"], {})[row["stage"]] = StageOutput(**row)
    left_out, reasons = _quarantine(storage, version)
    return Outline(version, digests, sampled, left_out, reasons)


def as_numbers(keys: Iterable[str]) -> Array:
    """Keys, 16 hex digits each, as uint64: an eighth of the memory."""
    return np.fromiter((int(key, 16) for key in keys), np.uint64)


def _quarantine(storage: Storage, version: Version) -> tuple[dict[str, Array], Counter[tuple[str, str]]]:
    places: dict[str, int] = {}
    reasons: Counter[tuple[str, str]] = Counter()
    keys, of = [NOBODY], [np.zeros(0, np.int32)]
    for rows in _batches(storage, version, "quarantine.parquet"):
        reasons.update((row["stage"], row["kind"]) for row in rows)
        planned = [row for row in rows if row["shard"]]
        keys.append(as_numbers(row["key"] for row in planned))
        of.append(np.array([places.setdefault(row["shard"], len(places)) for row in planned], np.int32))
    joined, shard = np.concatenate(keys), np.concatenate(of)
    order = np.lexsort((joined, shard))
    ends = np.cumsum(np.bincount(shard, minlength=len(places)))
    return dict(zip(places, np.split(joined[order], ends[:-1]), strict=True)) if places else {}, reasons


def _batches(storage: Storage, version: Version, name: str) -> Iterator[list[dict[str, str]]]:
    path = f"{version.prefix}/{name}"
    with naming(storage, path):
        for batch in pq.ParquetFile(pa.BufferReader(storage.read(path))).iter_batches():
            yield batch.to_pylist()
