"""A stage's output on some rows: in memory while a unit runs, as a tar with a sidecar once committed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.commits import Commit, CommitLog
from sluice.infra.tables import read_table
from sluice.preprocess.planning.plan import Row
from sluice.preprocess.shards import ShardError, read_shard, write_shard
from sluice.preprocess.units.measures import Scalar

REASON_CHARACTERS = 2000


def quarantine(row: Row, stage: str, reason: str, kind: str = "failed") -> dict[str, str]:
    """The entry of a row that a stage left out."""
    return {"key": row.key, "uri": row.uri, "stage": stage, "kind": kind, "reason": reason[:REASON_CHARACTERS]}


@dataclass
class Output:
    """Encoded fields and scalars by key, and what was left out."""

    fields: dict[str, dict[str, bytes]] = field(default_factory=dict)
    scalars: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    quarantined: list[dict[str, str]] = field(default_factory=list)

    def add(self, other: Output) -> None:
        """Take over another output, whose word on a row counts."""
        settled = other.settled
        self.fields.update(other.fields)
        self.scalars.update(other.scalars)
        self.quarantined = [e for e in self.quarantined if e["key"] not in settled] + other.quarantined

    @property
    def settled(self) -> set[str]:
        """The keys that need no more work."""
        return self.fields.keys() | {entry["key"] for entry in self.quarantined}


def fetch(log: CommitLog, commit: Commit, scratch: Path) -> Path:
    """A committed tar as a file to read. Raises ShardError where its digest is not what was committed."""
    path = log.storage.fetch(log.path(commit.file), scratch)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != commit.digest:
        raise ShardError(
            f"{log.storage.uri}/{log.path(commit.file)} is damaged: its SHA-256 is {digest}, its commit says "
            f"{commit.digest}; delete the file and build again, which makes it anew"
        )
    return path


def load(log: CommitLog, commit: Commit, scratch: Path) -> Output:
    """A committed output, whole."""
    with fetch(log, commit, scratch).open("rb") as stream:
        fields = dict(read_shard(stream))
    scalars = {row.pop("key"): row for row in read_scalars(log, commit)}
    return Output(fields, scalars, list(commit.quarantined))


def read_scalars(log: CommitLog, commit: Commit) -> list[dict[str, Any]]:
    """The sidecar of a committed output: a row for each record, its key first."""
    if commit.sidecar is None:
        return []
    rows: list[dict[str, Any]] = read_table(log.storage, log.path(commit.sidecar)).to_pylist()
    return rows


def store(
    log: CommitLog,
    name: str,
    rows: Sequence[Row],
    output: Output,
    scratch: Path,
    inputs: Mapping[str, str],
    facts: Mapping[str, Any],
) -> Commit:
    """Write an output as tar and sidecar, and commit it."""
    tar, sidecar = scratch / f"{name}.tar", scratch / f"{name}.parquet"
    kept = [row.key for row in rows if row.key in output.fields]
    written = write_shard(tar, ((key, output.fields[key]) for key in kept))
    if kept:
        scalars = [{"key": key, **output.scalars.get(key, {})} for key in kept]
        pq.write_table(pa.Table.from_pylist(scalars), sidecar, compression="zstd")
    commit = Commit(
        unit=name,
        file=f"{name}-{written.digest[:16]}.tar",
        digest=written.digest,
        size=written.size,
        records=written.records,
        inputs=dict(inputs),
        quarantined=sorted(output.quarantined, key=lambda entry: entry["key"]),
        sidecar=f"{name}-{written.digest[:16]}.parquet" if kept else None,
        facts={**facts, "field_bytes": written.field_bytes},
    )
    log.put(commit, tar, sidecar if kept else None)
    return commit
