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

from sluice.infra.errors import SluiceError
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


class DamagedPlan(SluiceError):
    """A plan cannot be read."""


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
            same = (uri for uri in row.duplicates if uri != image.uri)
            alike = tuple(uri for uri in same if uri not in by_uri or by_uri[uri].key == row.key)
            rows.append(replace(_row(image), duplicates=alike))
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


@dataclass(frozen=True)
class Layout:
    """A plan before it is stored: what its file says, and the shards' rows by the file that lists them."""

    plan: Plan
    stored: Mapping[str, Any]
    rows: Mapping[str, Sequence[Draft | None]]


def lay_out(drafts: Sequence[Draft | None], facts: Mapping[str, Any]) -> Layout:
    """Number the shards and share their rows out to files, 1,000 shards each; nothing is written."""
    shards: list[Shard] = []
    files: dict[str, Sequence[Draft | None]] = {}
    for start in range(0, len(drafts), SHARDS_A_PART):
        part = drafts[start : start + SHARDS_A_PART]
        ids = [shard_id(draft.rows) if draft else "" for draft in part]
        file = f"rows-{hashlib.sha256(''.join(ids).encode()).hexdigest()[:16]}.parquet"
        files[file] = part
        live = ((start + i, draft) for i, draft in enumerate(part) if draft)
        shards += [
            Shard(ordinal, ids[ordinal - start], draft.container, len(draft.rows), file, group)
            for group, (ordinal, draft) in enumerate(live)
        ]
    listed = [[s.ordinal, s.id, s.container, s.records, s.file, s.group] for s in shards]
    stored = {**facts, "places": len(drafts), "shards": listed}
    return Layout(_plan(stored), stored, files)


def store_plan(storage: Storage, prefix: str, layout: Layout) -> None:
    """Write the rows that are not there yet, then the plan, which points to them."""
    store_rows(storage, prefix, layout)
    path = f"{prefix}/{plan_file(layout.stored)}"
    if _read(storage, path) != layout.stored:
        storage.write(path, json.dumps(layout.stored).encode())


def store_rows(storage: Storage, prefix: str, layout: Layout) -> None:
    """Write the rows that are not there yet."""
    for file, part in layout.rows.items():
        if storage.head(f"{prefix}/{file}") is None:
            storage.write(f"{prefix}/{file}", _encode(part))


def plan_file(facts: Mapping[str, Any]) -> str:
    """The plan's name: another source, shard size or way to tell duplicates has a plan, and a history, of its own."""
    identity = json.dumps([facts["index"], facts["shard_size"]])
    return f"plan-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.json"


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


def read_plans(storage: Storage, prefix: str) -> dict[str, tuple[Plan, dict[str, Any]]]:
    """Every plan of a data set and all that its file says, by the file's name."""
    read = {entry.path.rpartition("/")[2]: _read(storage, entry.path) for entry in storage.list(f"{prefix}/plan-")}
    return {name: (_plan(stored), stored) for name, stored in read.items() if stored is not None}


def _read(storage: Storage, path: str) -> dict[str, Any] | None:
    try:
        stored: dict[str, Any] = json.loads(storage.read(path))
    except MissingFile:
        return None
    except ValueError as error:
        raise DamagedPlan(
            f"{storage.uri}/{path} is damaged ({error}); delete it and build again, which plans anew from the index"
        ) from error
    return stored
