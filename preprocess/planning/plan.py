"""The plan: which rows of the index make which shard. It only grows, so that unchanged shards keep their bytes."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.planning.index import Image

SHARDS_A_PART = 1000
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


@dataclass(frozen=True)
class Draft:
    """A shard before it is written: its container and its rows, by key."""

    container: str
    rows: tuple[Row, ...]


def shard_id(rows: Iterable[Row]) -> str:
    """SHA-256 (16 hex digits) over the rows, side inputs included."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row.key, row.uri, row.side, list(row.duplicates)]).encode())
    return digest.hexdigest()[:16]


def _row(image: Image, duplicates: Sequence[str] = ()) -> Row:
    return Row(image.key, image.uri, image.item, image.locator, image.side, tuple(duplicates))


def _keep(draft: Draft, by_uri: Mapping[str, Image], by_key: Mapping[str, Sequence[Image]]) -> Draft | None:
    """An old shard as the index has it now: rows whose image is gone move to a duplicate or leave."""
    rows = []
    for row in draft.rows:
        image = by_uri.get(row.uri)
        if image is None or image.key != row.key:
            image = by_key[row.key][0] if by_key.get(row.key) else None
        if image is not None:
            rows.append(replace(_row(image), duplicates=tuple(d for d in row.duplicates if d != image.uri)))
    return Draft(draft.container, tuple(rows)) if rows else None


def _cut(rows: Sequence[Row], size: int) -> list[tuple[Row, ...]]:
    """Rows cut into the fewest pieces of at most `size`, nearly equal, each sorted by key."""
    pieces = math.ceil(len(rows) / size)
    bounds = [len(rows) * i // pieces for i in range(pieces + 1)]
    return [tuple(sorted(rows[a:b], key=lambda r: r.key)) for a, b in pairwise(bounds)]


def grow(
    old: Sequence[Draft | None], images: Sequence[Image], shard_size: int, near: Mapping[str, str]
) -> list[Draft | None]:
    """The shards after the index changed: old ones in their places (None where all rows left), new ones behind.

    `images` are the readable images of the index; equal keys are duplicates, of which the planned one stays, else the
    smallest URI wins. `near` maps the URI of a near-duplicate to that of the image it looks like.
    """
    chosen = [image for image in sorted(images, key=lambda i: i.uri) if image.uri not in near]
    by_uri = {image.uri: image for image in chosen}
    by_key: dict[str, list[Image]] = defaultdict(list)
    for image in chosen:
        by_key[image.key].append(image)
    alike: dict[str, list[str]] = defaultdict(list)
    for uri, first in sorted(near.items()):
        alike[first].append(uri)
    kept = [_keep(draft, by_uri, by_key) if draft else None for draft in old]
    planned = {row.key for draft in kept if draft for row in draft.rows}
    containers: dict[str, list[Row]] = defaultdict(list)
    for key, same in by_key.items():
        if key not in planned:
            duplicates = [i.uri for i in same[1:]] + [uri for i in same for uri in alike[i.uri]]
            containers[same[0].container].append(_row(same[0], duplicates))
    new = [
        Draft(container, piece)
        for container, rows in sorted(containers.items())
        for piece in _cut(sorted(rows, key=lambda r: r.uri), shard_size)
    ]
    return kept + new


def write_plan(storage: Storage, prefix: str, drafts: Sequence[Draft | None], facts: Mapping[str, Any]) -> Plan:
    """Write the shards' rows in parts of 1,000 shards, then `plan.json`, which points to them."""
    shards: list[Shard] = []
    for start in range(0, len(drafts), SHARDS_A_PART):
        part = drafts[start : start + SHARDS_A_PART]
        ids = [shard_id(draft.rows) if draft else "" for draft in part]
        file = f"rows-{hashlib.sha256(''.join(ids).encode()).hexdigest()[:16]}.parquet"
        if storage.head(f"{prefix}/{file}") is None:
            storage.write(f"{prefix}/{file}", _encode(part))
        live = ((start + i, draft) for i, draft in enumerate(part) if draft)
        shards += [
            Shard(ordinal, ids[ordinal - start], draft.container, len(draft.rows), file, group)
            for group, (ordinal, draft) in enumerate(live)
        ]
    plan = {
        **facts,
        "places": len(drafts),
        "shards": [[s.ordinal, s.id, s.container, s.records, s.file, s.group] for s in shards],
    }
    stored = read_plan(storage, prefix)
    if stored is None or stored[1] != plan:
        storage.write(f"{prefix}/plan.json", json.dumps(plan).encode())
    return _plan(plan)


def _encode(drafts: Sequence[Draft | None]) -> bytes:
    stream = io.BytesIO()
    with pq.ParquetWriter(stream, ROW, compression="zstd") as writer:
        for draft in drafts:
            if draft:
                rows = [row.__dict__ for row in draft.rows]
                writer.write_table(pa.Table.from_pylist(rows, schema=ROW), row_group_size=max(len(rows), 1))
    return stream.getvalue()


def _plan(stored: Mapping[str, Any]) -> Plan:
    shards = tuple(Shard(*shard) for shard in stored["shards"])
    return Plan(shards, stored["images"], stored["duplicates"], tuple(stored["unreadable"]))


def read_plan(storage: Storage, prefix: str) -> tuple[Plan, dict[str, Any]] | None:
    """The plan and all that `plan.json` says, or None where there is none yet."""
    try:
        stored = json.loads(storage.read(f"{prefix}/plan.json"))
    except MissingFile:
        return None
    return _plan(stored), stored


def read_rows(storage: Storage, prefix: str, shard: Shard) -> list[Row]:
    """The rows of a shard, by key."""
    with storage.open(f"{prefix}/{shard.file}") as stream:
        table = pq.ParquetFile(stream).read_row_group(shard.group)
    return [Row(**{**row, "duplicates": tuple(row["duplicates"])}) for row in table.to_pylist()]


def read_drafts(storage: Storage, prefix: str, plan: Plan, places: int) -> list[Draft | None]:
    """The shards with their rows, each in its place."""
    drafts: list[Draft | None] = [None] * places
    for shard in plan.shards:
        drafts[shard.ordinal] = Draft(shard.container, tuple(read_rows(storage, prefix, shard)))
    return drafts
