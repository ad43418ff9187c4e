"""The plan of before, as its files have it: read a file or a shard at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.infra.tables import naming
from sluice.preprocess.planning.columns import Numbers, keys_of
from sluice.preprocess.planning.plan import Draft, Plan, Shard
from sluice.preprocess.planning.rows import PLAN_ANEW, rows_of

OPEN_FILES = 4


@dataclass(frozen=True)
class Before:
    """A stored plan, what its file says beside the shards, and where the rows lie."""

    storage: Storage
    prefix: str
    plan: Plan
    stored: dict[str, Any]

    def files(self) -> Iterator[tuple[str, list[Shard]]]:
        """The files of rows, each with its shards by row group."""
        for file, shards in groupby(self.plan.shards, key=lambda shard: shard.file):
            yield file, list(shards)

    @cached_property
    def file(self) -> Callable[[str], pq.ParquetFile]:
        """A function that opens a file of rows; it keeps a few at hand."""
        return lru_cache(OPEN_FILES)(self._opened)

    def _opened(self, file: str, few: Sequence[str] = ()) -> pq.ParquetFile:
        path = f"{self.prefix}/{file}"
        data = pa.BufferReader(self.storage.read(path))
        with naming(self.storage, path, PLAN_ANEW):
            return pq.ParquetFile(data, read_dictionary=few)

    def columns(self, file: str, names: Collection[str]) -> pa.Table:
        """Some columns of a file of rows."""
        parquet = self._opened(file, [name for name in ("item",) if name in names])
        with naming(self.storage, f"{self.prefix}/{file}", PLAN_ANEW):
            return parquet.read(list(names), use_threads=False).combine_chunks()

    def keys(self) -> Numbers:
        """The keys of all rows, ordered."""
        read = in_threads(lambda own: keys_of(self.columns(own[0], ["key"])["key"].chunk(0)), self.files(), None)
        keys = np.empty(self.plan.records, np.uint64)
        end = 0
        for own in read:
            keys[end : end + len(own)] = own
            end += len(own)
        keys.sort()
        return keys


@dataclass(frozen=True)
class Kept:
    """A shard that stays as it is."""

    before: Before
    shard: Shard

    @property
    def id(self) -> str:
        return self.shard.id

    @property
    def container(self) -> str:
        return self.shard.container

    @property
    def records(self) -> int:
        return self.shard.records

    def table(self) -> pa.Table:
        return self.before.file(self.shard.file).read_row_group(self.shard.group)

    def draft(self) -> Draft:
        """Its rows in memory."""
        return Draft(self.container, tuple(rows_of(self.table())))
