"""Merged shards before the first step: what a tar begins with, and which records its parquet says that it holds."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.preprocess.shards import ShardError, read_shard
from sluice.training.data import MissingRecords

COLUMNS = ("key", "split")
AGAIN = "export these shards again with `sluice dataset export`, or copy the file anew from where it came"


def parquet_of(tar: str) -> str:
    """The file that lies beside a merged tar."""
    return f"{tar.removesuffix('.tar')}.parquet"


def first_fields(place: Storage, tar: str) -> frozenset[str]:
    """The fields of a tar's first record. Raises ShardError, MissingRecords, StorageError."""
    name = f"{place.uri}/{tar}"
    try:
        with place.open(tar) as stream:
            first = next(read_shard(stream, None, name), None)
    except ShardError as error:
        raise ShardError(f"{error}: {AGAIN}") from error
    if first is None:
        raise MissingRecords(f"{name} holds no record: take it and its parquet away, or {AGAIN}")
    return frozenset(first[1])


def keys_of(place: Storage, tar: str, split: str) -> tuple[str, ...]:
    """The keys of a merged tar's records of a split, by its parquet. Raises MissingRecords, StorageError."""
    name, data = f"{place.uri}/{parquet_of(tar)}", place.read(parquet_of(tar))
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        lacking = [column for column in COLUMNS if column not in file.schema_arrow.names]
        rows = [] if lacking else file.read(list(COLUMNS)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise MissingRecords(f"{name} is no parquet file, or a damaged one ({error}): {AGAIN}") from error
    if lacking:
        raise MissingRecords(
            f"{name} lacks the column {' and '.join(lacking)}: a row for each record of {tar} has its `key` and its "
            f"`split`, train or validation; {AGAIN}"
        )
    for number, row in enumerate(rows):
        for column in COLUMNS:
            if not isinstance(row[column], str):
                raise MissingRecords(
                    f"{name}: {column} of row {number} is {row[column]!r}, where a string is expected: {AGAIN}"
                )
    return tuple(row["key"] for row in rows if row["split"] == split)
