"""The index: every image of a source, read once: URI and stamp -> key, digest of side inputs.

It lies in parts, which are only added: a later part supersedes what earlier ones say of the same items.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.interrupts import pressed
from sluice.infra.storage import Storage
from sluice.infra.tables import read_table
from sluice.preprocess.planning.near_duplicates import perceptual_hash
from sluice.preprocess.planning.removed import Removed
from sluice.preprocess.sources import Item, Raw, Source

KEY_DIGITS = 16
ROW_BYTES = 16
PART_DIGITS = 20
IMAGES_A_PART = 1000
GONE = "gone"
SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("item", pa.string()),
        ("stamp", pa.string()),
        ("locator", pa.string()),
        ("container", pa.string()),
        ("size", pa.int64()),
        ("key", pa.string()),
        ("side", pa.string()),
        ("look", pa.string()),
        ("error", pa.string()),
        ("row", pa.binary(ROW_BYTES)),
    ]
)

FEW_VALUES = ["item", "stamp", "container", "look", "error"]
"""Columns whose values repeat: a dictionary of any other costs half the time of writing and reading it."""
READ_ANEW = "delete it and build again, which reads its images anew"
"""What mends a damaged part of an index."""
BLANK = {"key": "", "side": "", "look": "", "size": 0, "row": None}


@dataclass(frozen=True)
class Image:
    """One image as the index knows it. `look` is its perceptual hash (16 hex digits) where asked for, `error` why it
    could not be read; an item without images has one entry without a key."""

    uri: str
    item: str
    stamp: str
    locator: str
    container: str
    size: int
    key: str
    side: str
    look: str
    error: str


def key_of(data: bytes) -> str:
    """16 hex digits of the SHA-256 of the original bytes."""
    return hashlib.sha256(data).hexdigest()[:KEY_DIGITS]


def side_digest(fields: Mapping[str, bytes]) -> str:
    """SHA-256 (16 hex digits) of everything a source gives beside the image."""
    digest = hashlib.sha256()
    for name in sorted(fields):
        if name != "raw":
            digest.update(f"{name}:{len(fields[name])}:".encode() + fields[name])
    return digest.hexdigest()[:KEY_DIGITS]


def row_digest(key: str, uri: str, side: str) -> bytes:
    """What tells a planned row from another: 16 bytes of the SHA-256 of key, digest of side inputs and URI.

    The index keeps it, so that a plan of 10^8 rows digests no strings.
    """
    return hashlib.sha256(f"{key}:{side}:{uri}".encode()).digest()[:ROW_BYTES]


def index_prefix(source: Source[Any], looks: bool) -> str:
    """Where the index of a source lies; one with perceptual hashes apart from one without."""
    identity = json.dumps([source.kind, source.config.model_dump(mode="json"), looks], sort_keys=True)
    return f"index/{source.kind}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _image(raw: Raw, stamp: str, looks: bool) -> dict[str, Any]:
    data = raw.fields.get("raw", b"")
    key, side = (key_of(data), side_digest(raw.fields)) if raw.error is None else ("", "")
    return {
        "uri": raw.address.uri,
        "item": raw.address.item,
        "stamp": stamp,
        "locator": raw.address.locator,
        "container": raw.container,
        "size": len(data),
        "key": key,
        "side": side,
        "look": perceptual_hash(data) if key and looks else "",
        "error": raw.error or "",
        "row": row_digest(key, raw.address.uri, side) if key else None,
    }


def scan(source: Source[Any], items: Sequence[Item], looks: bool, removed: Removed) -> bytes:
    """A part of the index, as parquet: every image of these items; of a removed one only that there is something.

    Raises KeyboardInterrupt between two images, also in a thread that hears none.
    """
    stamps = {item.uri: item.stamp for item in items}
    rows = [_image(raw, stamps[raw.address.item], looks) for raw in _until_pressed(source.scan(items))]
    rows = [row | BLANK if row["key"] in removed else row for row in rows]
    seen = {row["item"] for row in rows}
    return encode(rows + [nothing(item.uri, item.stamp) for item in items if item.uri not in seen])


def _until_pressed(images: Iterable[Raw]) -> Iterator[Raw]:
    for raw in images:
        if pressed():
            raise KeyboardInterrupt
        yield raw


def nothing(item: str, stamp: str) -> dict[str, Any]:
    """The row of an item that holds no image (any more)."""
    empty = dict.fromkeys(("locator", "container", "key", "side", "look", "error"), "")
    return {**empty, "uri": item, "item": item, "stamp": stamp, "size": 0, "row": None}


def encode(rows: Sequence[dict[str, Any]]) -> bytes:
    """A part, by URI: who plans needs the rows of a container in this order, and not the URIs."""
    return encode_table(pa.Table.from_pylist(sorted(rows, key=lambda row: row["uri"]), schema=SCHEMA))


def encode_table(rows: pa.Table) -> bytes:
    """A part from its rows, which are by URI."""
    stream = io.BytesIO()
    pq.write_table(rows, stream, compression="zstd", use_dictionary=FEW_VALUES)
    return stream.getvalue()


def store_part(data: bytes, storage: Storage, prefix: str, last: str) -> None:
    """Store a part; its name sorts after `last`, the latest so far, whatever clocks say, and later parts supersede."""
    before = int(last.removeprefix("part-")[:PART_DIGITS]) if last else 0
    number = max(time.time_ns(), before + 1)
    storage.write(f"{prefix}/part-{number:0{PART_DIGITS}d}-{hashlib.sha256(data).hexdigest()[:8]}.parquet", data)


def parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items in bundles of about 1,000 images; an item of unknown count is a bundle of its own."""
    bundle: list[Item] = []
    for item in items:
        if item.images is None:
            yield [item]
            continue
        bundle.append(item)
        if len(bundle) >= IMAGES_A_PART:
            yield bundle
            bundle = []
    if bundle:
        yield bundle


def forget(storage: Storage, part: str, gone: Collection[str]) -> None:
    """Blank the images of these keys in a part of an index, as if they had been removed before it was read."""
    rows = read_table(storage, part, remedy=READ_ANEW).to_pylist()
    kept = [row | BLANK if row["key"] in gone else row for row in rows]
    if kept != rows:
        storage.write(part, encode(kept))
