"""The rows of a plan's shards, read back."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.infra.tables import naming
from sluice.preprocess.planning.plan import Draft, Plan, Row, Shard

PLAN_ANEW = "delete it and the plan-*.json beside it, and build again, which plans anew from the index"
"""What mends a damaged file of rows."""


def read_rows(storage: Storage, prefix: str, shard: Shard) -> list[Row]:
    """The rows of a shard, by key."""
    path = f"{prefix}/{shard.file}"
    with storage.open(path) as stream, naming(storage, path, PLAN_ANEW):
        return rows_of(pq.ParquetFile(stream).read_row_group(shard.group))


def read_file(storage: Storage, prefix: str, file: str) -> list[list[Row]]:
    """The rows of every shard that a file lists, by row group; to open it for each shard takes ten times as long."""
    path = f"{prefix}/{file}"
    with storage.open(path) as stream, naming(storage, path, PLAN_ANEW):
        parquet = pq.ParquetFile(stream)
        return [rows_of(parquet.read_row_group(group)) for group in range(parquet.num_row_groups)]


def rows_of(table: pa.Table) -> list[Row]:
    """Rows of a table as the plan stores them."""
    return [Row(**{**row, "duplicates": tuple(row["duplicates"])}) for row in table.to_pylist()]


def read_drafts(storage: Storage, prefix: str, plan: Plan, stored: Mapping[str, Any]) -> list[Draft | None]:
    """The shards of a plan with their rows, each in its place."""
    drafts: list[Draft | None] = [None] * stored["places"]
    for file, shards in groupby(plan.shards, key=lambda shard: shard.file):
        rows = read_file(storage, prefix, file)
        for shard in shards:
            drafts[shard.ordinal] = Draft(shard.container, tuple(rows[shard.group]))
    return drafts
