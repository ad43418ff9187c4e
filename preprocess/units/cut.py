"""Stage outputs without removed records: the bytes of the others are copied, no stage runs.

A fingerprint fixes every record's bytes, so this is what the stage would have written for the rows that are left.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.commits import Commit, CommitLog
from sluice.infra.scratch import scratch_folder
from sluice.infra.storage import Storage
from sluice.infra.tables import read_table
from sluice.preprocess.planning.cut import Cut
from sluice.preprocess.shards import ShardError, read_shard, write_shard


def cut_outputs(storage: Storage, tars: Sequence[str], cut: Cut) -> dict[str, Commit]:
    """Write what is left of a shard's outputs, and commit it where they were committed: old tar's path -> new commit.

    `tars` are all that stages wrote of the shard. Where nothing is left of it, nothing is written. Raises ShardError
    for a damaged tar.
    """
    if not cut.new:
        return {}
    cuts = {tar: _cut_tar(storage, tar, cut) for tar in tars}
    made = {tar: commit for tar, (_, commit) in cuts.items()}
    digests = {old: commit.digest for old, commit in cuts.values()}
    for folder in sorted({tar.rpartition("/")[0] for tar in tars}):
        _commit(CommitLog(storage, folder), cut, made, digests)
    return made


def outputs_in(storage: Storage, folders: Iterable[str], shard: str) -> list[str]:
    """The tars that stages wrote of a shard in these folders, the newest and earlier ones."""
    entries = (entry.path for folder in folders for entry in storage.list(f"{folder}/{shard}-"))
    return [path for path in entries if path.endswith(".tar")]


def cut_roll_up(storage: Storage, path: str, cuts: Collection[str]) -> None:
    """Take the commits of these shards out of a roll-up; those that are left speak for themselves."""
    rows = read_table(storage, path, remedy="delete it: the commits that it sums up lie beside it")
    shards = [commit.rpartition("/")[2].removesuffix(".json") for commit in rows["path"].to_pylist()]
    kept = rows.filter(pa.array([shard not in cuts for shard in shards], pa.bool_()))
    if kept.num_rows < rows.num_rows:
        stream = io.BytesIO()
        pq.write_table(kept, stream)
        storage.write(path, stream.getvalue())


def _cut_tar(storage: Storage, path: str, cut: Cut) -> tuple[str, Commit]:
    """The digest of a tar as it was, and the commit of what is left of it, which is written beside it."""
    folder = path.rpartition("/")[0]
    with scratch_folder() as scratch:
        whole, left = storage.fetch(path, scratch), scratch / "left.tar"
        digest = _checked_digest(whole, f"{storage.uri}/{path}", path)
        with whole.open("rb") as stream:
            records = ((key, fields) for key, fields in read_shard(stream, None, path) if key not in cut.keys)
            written = write_shard(left, records)
        name = f"{cut.new}-{written.digest[:16]}"
        sidecar = _cut_sidecar(storage, f"{path.removesuffix('.tar')}.parquet", cut) if written.records else None
        if sidecar is not None:
            storage.write(f"{folder}/{name}.parquet", sidecar)
        storage.upload(f"{folder}/{name}.tar", left)
    return digest, Commit(
        unit=cut.new,
        file=f"{name}.tar",
        digest=written.digest,
        size=written.size,
        records=written.records,
        sidecar=f"{name}.parquet" if sidecar is not None else None,
        facts={"field_bytes": written.field_bytes},
    )


def _checked_digest(file: Path, name: str, path: str) -> str:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not path.endswith(f"-{digest[:16]}.tar"):
        raise ShardError(
            f"{name} is damaged: its SHA-256 is {digest}, its name says another. Build again, which makes it anew (or "
            "delete it, where no version needs it), and remove the same keys again."
        )
    return digest


def _cut_sidecar(storage: Storage, path: str, cut: Cut) -> bytes | None:
    if storage.head(path) is None:
        return None
    rows = [row for row in read_table(storage, path).to_pylist() if row["key"] not in cut.keys]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream, compression="zstd")
    return stream.getvalue()


def _commit(log: CommitLog, cut: Cut, made: Mapping[str, Commit], digests: Mapping[str, str]) -> None:
    """Commit what is left of an output that was committed; its inputs are what is left of theirs."""
    old = log.get(cut.old)
    new = made.get(log.path(old.file)) if old else None
    if old is None or new is None or log.valid(cut.new) is not None:
        return
    log.write(
        replace(
            new,
            inputs={parent: digests.get(digest, digest) for parent, digest in old.inputs.items()},
            quarantined=[entry for entry in old.quarantined if entry["key"] not in cut.keys],
            facts={**old.facts, **new.facts},
        )
    )
