"""The plan: which rows of the index make which shard. It only grows, so that unchanged shards keep their bytes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel

from sluice.infra.errors import SluiceError
from sluice.infra.shape import read_shaped
from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.planning.index import row_digest
from sluice.preprocess.planning.removed import TakenDown

SHARDS_A_PART = 1000
WRITERS = 2
ROW = pa.schema(
    [
        ("key", pa.string()),
        ("uri", pa.string()),
        ("item", pa.string()),
        ("locator", pa.string()),
        ("side", pa.string()),
        ("duplicates", pa.list_(pa.string())),
    ]
)


class DamagedPlan(SluiceError):
    """A plan cannot be read."""

    exit_code = 1


class _MadeOf(BaseModel):
    parts: list[str]
    removed: str | None
    near: int | None


class _Stored(BaseModel):
    """What a plan's file says."""

    index: str
    shard_size: int
    images: int
    duplicates: int
    unreadable: list[dict[str, str]]
    places: int
    shards: list[tuple[int, str, str, int, str, int]]
    made_of: _MadeOf | None = None


@dataclass(frozen=True)
class Row:
    """One planned record: its key, where its image lies, the digest of its side inputs, and its duplicates' URIs."""

    key: str
    uri: str
    item: str
    locator: str
    side: str
    duplicates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shard:
    """A planned shard: its place in the order of shards, its id, and the row group that lists its rows."""

    ordinal: int
    id: str
    container: str
    records: int
    file: str
    group: int


@dataclass(frozen=True)
class Plan:
    """All shards, and what the index holds beside their records."""

    shards: tuple[Shard, ...]
    images: int
    duplicates: int
    unreadable: tuple[dict[str, str], ...]

    @property
    def records(self) -> int:
        return sum(shard.records for shard in self.shards)

    def unreadable_entries(self) -> list[dict[str, str]]:
        """The images that the index could not read, as the quarantine lists them."""
        return [{"key": "", "shard": "", "stage": "index", "kind": "failed", **entry} for entry in self.unreadable]


class Planned(Protocol):
    """A shard before it is stored."""

    @property
    def id(self) -> str:
        """As the plan names it."""

    @property
    def container(self) -> str:
        """What its rows come from."""

    @property
    def records(self) -> int:
        """How many rows it has."""

    def table(self) -> pa.Table:
        """Its rows, by key; read or made when asked for."""


@dataclass(frozen=True)
class Draft:
    """A shard in memory: its container and its rows, by key."""

    container: str
    rows: tuple[Row, ...]

    @cached_property
    def id(self) -> str:
        return shard_id(self.rows)

    @property
    def records(self) -> int:
        return len(self.rows)

    def table(self) -> pa.Table:
        return pa.Table.from_pylist([row.__dict__ for row in self.rows], schema=ROW)


def shard_id(rows: Iterable[Row]) -> str:
    """SHA-256 (16 hex digits) over the rows, side inputs included."""
    kept = list(rows)
    digests = b"".join(row_digest(row.key, row.uri, row.side) for row in kept)
    return id_of(digests, ((row.key, row.duplicates) for row in kept if row.duplicates))


def id_of(digests: bytes, duplicates: Iterable[tuple[str, Sequence[str]]]) -> str:
    """The same from the digests of all rows, one after the other, and the duplicates of each key that has some."""
    digest = hashlib.sha256(digests)
    for key, uris in duplicates:
        digest.update(json.dumps([key, list(uris)]).encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Layout:
    """A plan before it is stored: what its file says, and the shards whose rows each file lists.

    Files that were stored with an earlier plan, and have not changed, may be left out.
    """

    plan: Plan
    stored: Mapping[str, Any]
    rows: dict[str, Sequence[Planned | None]]


def lay_out(shards: Sequence[Planned | None], facts: Mapping[str, Any]) -> Layout:
    """Number the shards and share their rows out to files, 1,000 shards each; nothing is written."""
    listed: list[Shard] = []
    files: dict[str, Sequence[Planned | None]] = {}
    for start in range(0, len(shards), SHARDS_A_PART):
        part = shards[start : start + SHARDS_A_PART]
        ids = [shard.id if shard else "" for shard in part]
        file = f"rows-{hashlib.sha256(''.join(ids).encode()).hexdigest()[:16]}.parquet"
        files[file] = part
        live = ((start + i, shard) for i, shard in enumerate(part) if shard)
        listed += [
            Shard(ordinal, shard.id, shard.container, shard.records, file, group)
            for group, (ordinal, shard) in enumerate(live)
        ]
    told = [[s.ordinal, s.id, s.container, s.records, s.file, s.group] for s in listed]
    stored = {**facts, "places": len(shards), "shards": told}
    return Layout(stored_plan(stored), stored, files)


def store_plan(storage: Storage, prefix: str, layout: Layout) -> None:
    """Write the rows that are not there yet, then the plan, which points to them. Raises TakenDown."""
    store_rows(storage, prefix, layout)
    path = f"{prefix}/{plan_file(layout.stored)}"
    there = _read(storage, path)
    if there is None or there[1] != layout.stored:
        storage.write(path, json.dumps(layout.stored).encode())


def store_rows(storage: Storage, prefix: str, layout: Layout) -> None:
    """Write the rows that are not there yet, two files at a time, and let go of them: some tens of megabytes each."""

    def store(file: str) -> None:
        if storage.head(f"{prefix}/{file}") is None:
            storage.write(f"{prefix}/{file}", _encode(layout.rows[file]))
        del layout.rows[file]

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(store, list(layout.rows)))


def plan_file(facts: Mapping[str, Any]) -> str:
    """The plan's name: another source, shard size or way to tell duplicates has a plan, and a history, of its own."""
    identity = json.dumps([facts["index"], facts["shard_size"]])
    return f"plan-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.json"


def _encode(shards: Iterable[Planned | None]) -> bytes:
    stream = io.BytesIO()
    with pq.ParquetWriter(stream, ROW, compression="zstd", use_dictionary=["item"]) as writer:
        for shard in filter(None, shards):
            table = shard.table()
            if pc.any(pc.equal(table["key"], "")).as_py():  # blanked in the index since it was read
                raise TakenDown("records were withdrawn while this build was planned; nothing ran: start it again")
            writer.write_table(table, row_group_size=shard.records)
    return stream.getvalue()


def stored_plan(stored: Mapping[str, Any]) -> Plan:
    shards = tuple(Shard(*shard) for shard in stored["shards"])
    return Plan(shards, stored["images"], stored["duplicates"], tuple(stored["unreadable"]))


def read_plans(storage: Storage, prefix: str) -> dict[str, tuple[Plan, dict[str, Any]]]:
    """Every plan of a data set and all that its file says, by the file's name."""
    read = {entry.path.rpartition("/")[2]: _read(storage, entry.path) for entry in storage.list(f"{prefix}/plan-")}
    return {name: found for name, found in read.items() if found is not None}


def _read(storage: Storage, path: str) -> tuple[Plan, dict[str, Any]] | None:
    try:
        stored = read_shaped(_Stored, storage.read(path))
    except MissingFile:
        return None
    except ValueError as error:
        raise DamagedPlan(
            f"{storage.uri}/{path} is damaged ({error}); delete it and build again, which plans anew from the index"
        ) from error
    return stored_plan(stored), stored
