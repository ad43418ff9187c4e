"""Merged shards before the first step: what a tar begins with, and which records its parquet says that it holds."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.preprocess.shards import ShardError, read_shard
from sluice.training.data import MissingRecords

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

COLUMNS = ("key", "split")
HEAD = 1 << 18
"""Bytes of a tar that are asked for at once: a first record has some hundred thousand, and there may be 10^5 tars."""
READERS = 16
AGAIN = "export these shards again with `sluice dataset export`, or copy the file anew from where it came"


def parquet_of(tar: str) -> str:
    """The file that lies beside a merged tar."""
    return f"{tar.removesuffix('.tar')}.parquet"


class _Head(io.RawIOBase):
    """A file from its beginning by ranges, as far as it is asked for: a storage's own reader asks for megabytes."""

    def __init__(self, place: Storage, path: str) -> None:
        self._place, self._path, self._position = place, path, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._place.read_range(self._path, self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def first_fields(place: Storage, tar: str) -> frozenset[str]:
    """The fields of a tar's first record, read from its head alone. Raises ShardError, MissingRecords, StorageError."""
    name = f"{place.uri}/{tar}"
    try:
        with io.BufferedReader(_Head(place, tar), HEAD) as stream:
            first = next(read_shard(stream, None, name), None)
    except ShardError as error:
        raise ShardError(f"{error}: {AGAIN}") from error
    if first is None:
        raise MissingRecords(f"{name} holds no record: take it and its parquet away, or {AGAIN}")
    return frozenset(first[1])


def require_in_each(place: Storage, tars: Sequence[str], wanted: Collection[str]) -> None:
    """Raises MissingRecords where the first record of one of these tars lacks a field."""
    for tar, fields in zip(tars, in_threads(partial(first_fields, place), tars, READERS), strict=True):
        lacking = sorted(set(wanted) - fields)
        if lacking:
            raise MissingRecords(
                f"the first record of {place.uri}/{tar} lacks {', '.join(lacking)}, which is trained on and is in "
                f"{tars[0]}: export all shards of one version that has it, or take this tar and its parquet away"
            )


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
