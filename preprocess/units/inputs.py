"""What a stage reads: fields of the stages before it, and raw files of the source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.infra.commits import Commit, CommitLog
from sluice.preprocess.planning.index import KEY_DIGITS
from sluice.preprocess.planning.plan import Row
from sluice.preprocess.record import Record, encode_json
from sluice.preprocess.shards import join, read_shard
from sluice.preprocess.sources import Address, Raw, Source
from sluice.preprocess.units.output import fetch


@dataclass(frozen=True)
class Inputs:
    """Where the fields in `reads` come from, for the rows of one shard."""

    source: Source[Any]
    parents: Sequence[tuple[CommitLog, Commit]]
    reads: frozenset[str]
    scratch: Path

    @property
    def raw(self) -> list[str]:
        return sorted(name for name in self.reads if name.startswith("raw"))

    def records(self, groups: Sequence[Sequence[Row]]) -> Iterator[Iterable[Record]]:
        """The records of each group of rows (groups in key order) that every parent kept.

        Fields of shards stream, one record at a time; where raw files are read too, in the source's order, the parents'
        fields of the whole shard are held.
        """
        stream = self._parent_records({row.key for group in groups for row in group})
        if not self.raw:
            ahead: list[Record] = []
            for group in groups:
                yield _up_to(stream, group[-1].key, ahead)
            return
        held = {record.key: record for record in stream} if self.parents else None
        for group in groups:
            yield self._raw_records([row for row in group if held is None or row.key in held], held or {})

    def _parent_records(self, wanted: Collection[str]) -> Iterator[Record]:
        paths = [fetch(log, commit, self.scratch) for log, commit in self.parents]
        for key, fields in join(read_shard(path.open("rb"), self.reads) for path in paths):
            if key in wanted:
                yield Record(key, fields)

    def _raw_records(self, rows: Sequence[Row], held: Mapping[str, Record]) -> Iterator[Record]:
        left = {row.uri: row for row in rows}
        for raw in self.source.read([Address(r.uri, r.item, r.locator) for r in rows], self.raw):
            row = left.pop(raw.address.uri, None)
            if row is not None:
                yield _with_raw(held.get(row.key) or Record(row.key), row, raw)
        for row in left.values():
            record = Record(row.key)
            record.reject("the source no longer has this image; `build --prune` takes it out of the data set")
            yield record


def _with_raw(record: Record, row: Row, raw: Raw) -> Record:
    record.encoded.update(raw.fields)
    facts: dict[str, Any] = {}
    if raw.error is not None:
        record.reject(raw.error)
    elif "raw" in raw.fields:
        facts["sha256"] = hashlib.sha256(raw.fields["raw"]).hexdigest()
        if facts["sha256"][:KEY_DIGITS] != row.key:
            record.reject("the file has changed since it was indexed; build again, which indexes it anew")
    if "raw.json" in raw.fields:
        about = json.loads(raw.fields["raw.json"])
        about["origin"] = {**about.get("origin", {}), "uri": row.uri, "duplicates": list(row.duplicates)}
        record.encoded["raw.json"] = encode_json(about | facts)
    return record


def _up_to(stream: Iterator[Record], last: str, ahead: list[Record]) -> Iterator[Record]:
    """Records of a key-ordered stream up to a key; the one read too far waits in `ahead` for the next call."""
    while (record := ahead.pop() if ahead else next(stream, None)) is not None:
        if record.key > last:
            ahead.append(record)
            return
        yield record
