"""A version read back: its outputs as streams that check their digest, and the rows that it was planned from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO, cast

from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.planning.plan import Row, Shard, read_plans, shard_id
from sluice.preprocess.planning.rows import read_file, read_rows
from sluice.preprocess.shards import ShardError, read_shard
from sluice.preprocess.version.manifest import Version, table_rows

HASH_BLOCK = 1 << 20


@dataclass(frozen=True)
class StageOutput:
    """A stage's output on a shard, as `shards.parquet` lists it; `sidecar` is empty where no record was kept."""

    ordinal: int
    shard: str
    stage: str
    file: str
    sidecar: str
    digest: str
    bytes: int
    records: int

    @property
    def prefix(self) -> str:
        return self.file.rpartition("/")[0]

    @property
    def commit(self) -> str:
        return f"{self.prefix}/{self.shard}.json"


class Digested:
    """A reader that knows the SHA-256 of what went through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.digest.update(data)
        return data

    def finish(self) -> str:
        """Read what is left; returns the digest of the whole."""
        while self.read(HASH_BLOCK):
            pass
        return self.digest.hexdigest()


def shard_outputs(storage: Storage, version: Version) -> Iterator[list[StageOutput]]:
    """The outputs of each shard, in the order of shards."""
    rows = (StageOutput(**row) for row in table_rows(storage, version, "shards.parquet"))
    for _, outputs in groupby(rows, key=lambda output: output.ordinal):
        yield list(outputs)


def stream_output(
    storage: Storage, output: StageOutput, fields: Collection[str] | None = None
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, fields) of each record. Raises ShardError where the tar is missing or, at the end, not what was written."""
    try:
        raw = storage.open(output.file)
    except MissingFile as error:
        raise ShardError(f"{storage.uri}/{output.file} is missing; `sluice dataset verify` says what to do") from error
    with raw:
        stream = Digested(raw)
        yield from read_shard(cast(BinaryIO, stream), fields, output.file)
        if stream.finish() != output.digest:
            raise ShardError(f"{storage.uri}/{output.file} is damaged; `sluice dataset verify` says what to do")


def plan_prefix(version: Version) -> str:
    """Where the plan of a version's data set lies."""
    return f"datasets/{version.dataset}/plan"


def find_rows(storage: Storage, version: Version, ids: Collection[str]) -> dict[str, Shard]:
    """Where the rows of these shards lie: in a plan of today, else in a file of rows that an earlier plan had."""
    prefix = plan_prefix(version)
    plans = read_plans(storage, prefix).values()
    found = {shard.id: shard for plan, _ in plans for shard in plan.shards if shard.id in ids}
    left = set(ids) - found.keys()
    if left:
        for shard in _every_shard(storage, prefix):
            if shard.id in left:
                found.setdefault(shard.id, shard)
    return found


def _every_shard(storage: Storage, prefix: str) -> Iterator[Shard]:
    for entry in storage.list(f"{prefix}/rows-"):
        file = entry.path.rpartition("/")[2]
        for group, rows in enumerate(read_file(storage, prefix, file)):
            yield Shard(-1, shard_id(rows), "", len(rows), file, group)


def planned_rows(storage: Storage, version: Version, shard: Shard) -> list[Row]:
    """The rows of a shard, by key. Raises ShardError where they are not those that the shard's id was made of."""
    rows = read_rows(storage, plan_prefix(version), shard)
    if shard_id(rows) != shard.id:
        raise ShardError(f"the rows at group {shard.group} of {shard.file} are not those of shard {shard.id}")
    return rows
