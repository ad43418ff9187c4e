"""Which records came, went, or changed in the source between two versions: by their planned rows, as 64-bit numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.infra.tables import naming
from sluice.preprocess.compare.outline import NOBODY, Outline, as_numbers
from sluice.preprocess.compare.record_diff import rows_of
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.planning.rows import PLAN_ANEW
from sluice.preprocess.record import Array
from sluice.preprocess.version.reading import plan_prefix


@dataclass(frozen=True)
class Traffic:
    """Keys that only the later version has, `came`, and only the earlier, `went`, as ascending uint64.

    `changed` counts those of both that have another caption, companion, place or list of duplicates in the source.
    """

    came: Array
    went: Array
    changed: int


def traffic(storage: Storage, before: Outline, after: Outline, workers: int | None = None) -> Traffic:
    """Compare two versions by the shards that only one of them has, 16 bytes a record of these in memory.

    Raises ShardError where a version's rows are lost.
    """
    old = _rows(storage, before, before.digests.keys() - after.digests.keys(), workers)
    new = _rows(storage, after, after.digests.keys() - before.digests.keys(), workers)
    _, at_old, at_new = np.intersect1d(old[0], new[0], assume_unique=True, return_indices=True)
    came, went = [np.setdiff1d(new[0], old[0])], [np.setdiff1d(old[0], new[0])]
    for shard in before.digests.keys() & after.digests.keys():
        came.append(np.setdiff1d(before.without(shard), after.without(shard)))
        went.append(np.setdiff1d(after.without(shard), before.without(shard)))
    changed = int((old[1][at_old] != new[1][at_new]).sum())
    return Traffic(np.sort(np.concatenate(came)), np.sort(np.concatenate(went)), changed)


def _rows(storage: Storage, side: Outline, shards: Collection[str], workers: int | None) -> tuple[Array, Array]:
    """Keys of these shards without what was left out, and hashes (good in this process) of what the source says."""
    found = rows_of(storage, side.version, shards) if shards else []
    lying = sorted(found, key=lambda shard: (shard.file, shard.group))
    files = [(file, list(own)) for file, own in groupby(lying, key=lambda shard: shard.file)]
    read = list(in_threads(partial(_file, storage, side), files, workers))
    return (
        np.concatenate([NOBODY, *(keys for keys, _ in read)]),
        np.concatenate([np.zeros(0, np.int64), *(said for _, said in read)]),
    )


def _file(storage: Storage, side: Outline, asked: tuple[str, list[Shard]]) -> tuple[Array, Array]:
    file, shards = asked
    path = f"{plan_prefix(side.version)}/{file}"
    with storage.open(path) as stream, naming(storage, path, PLAN_ANEW):
        parquet = pq.ParquetFile(stream)
        read = [_group(parquet, shard, side.without(shard.id)) for shard in shards]
    return np.concatenate([keys for keys, _ in read]), np.concatenate([said for _, said in read])


def _group(parquet: Any, shard: Shard, left_out: Array) -> tuple[Array, Array]:
    rows = parquet.read_row_group(shard.group, columns=["key", "uri", "side", "duplicates"]).to_pydict()
    keys, said = as_numbers(rows["key"]), np.fromiter(_said(rows), np.int64)
    kept = np.isin(keys, left_out, invert=True)
    return keys[kept], said[kept]


def _said(rows: dict[str, list[Any]]) -> Iterator[int]:
    for uri, side, duplicates in zip(rows["uri"], rows["side"], rows["duplicates"], strict=True):
        yield hash((uri, side, tuple(duplicates)))
