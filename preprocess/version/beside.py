"""Exports that lie beside the versions: merged shards without removed records, and their list put right."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.scratch import scratch_folder
from sluice.infra.storage import Storage
from sluice.infra.tables import naming, read_table
from sluice.preprocess.shards import read_shard, write_shard
from sluice.preprocess.version.export import Exported, list_exported, read_export
from sluice.preprocess.version.reading import Digested


def cut_beside(storage: Storage, table: str, gone: Collection[str]) -> bool:
    """Take removed records out of a table with keys and out of the tar of the same name; whether there were any.

    The table is written last, so that a kill in between leaves it to be found again.
    """
    with storage.open(table) as file, naming(storage, table):
        if "key" not in pq.read_schema(file).names:
            return False
    rows = read_table(storage, table).to_pylist()
    kept = [row for row in rows if row["key"] not in gone]
    if len(kept) == len(rows):
        return False
    _cut_tar(storage, f"{table.removesuffix('.parquet')}.tar", gone)
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(kept), stream, compression="zstd")
    storage.write(table, stream.getvalue())
    return True


def _cut_tar(storage: Storage, tar: str, gone: Collection[str]) -> None:
    if storage.head(tar) is None:
        return
    with scratch_folder() as scratch:
        left = scratch / "left.tar"
        with storage.open(tar) as stream:
            written = write_shard(left, ((k, f) for k, f in read_shard(stream, None, tar) if k not in gone))
        if written.records:
            storage.upload(tar, left)
        else:
            storage.delete([tar])


def relist(storage: Storage, listing: str) -> None:
    """Let an `export.json` say again what its merged shards are, where their sizes show that it does not."""
    folder = listing.rpartition("/")[0]
    listed = read_export(storage, folder)
    now = [_seen(storage, f"{folder}/{made.target.rpartition('/')[2]}", made) for made in listed.values()]
    if now != list(listed.values()):
        storage.write(listing, list_exported(now))


def _seen(storage: Storage, stem: str, made: Exported) -> Exported:
    entry = storage.head(f"{stem}.tar")
    if not made.digest or (entry is not None and entry.size == made.size):
        return made
    records = read_table(storage, f"{stem}.parquet").num_rows
    if entry is None:
        return replace(made, digest="", size=0, records=records)
    with storage.open(f"{stem}.tar") as stream:
        digest = Digested(stream).finish()
    return replace(made, digest=digest, size=entry.size, records=records)
