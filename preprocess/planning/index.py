"""The index: every image of a source, read once: URI and stamp -> key, digest of side inputs."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.preprocess.planning.near_duplicates import perceptual_hash
from sluice.preprocess.planning.removed import Removed
from sluice.preprocess.sources import Item, Raw, Source

KEY_DIGITS = 16
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
    ]
)

BLANK = {"key": "", "side": "", "look": "", "size": 0}


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


@dataclass(frozen=True)
class Change:
    """What a listing shows against the index."""

    unread: tuple[Item, ...]
    gone: frozenset[str]


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


def index_prefix(source: Source[Any], looks: bool) -> str:
    """Where the index of a source lies; one with perceptual hashes apart from one without."""
    identity = json.dumps([source.kind, source.config.model_dump(mode="json"), looks], sort_keys=True)
    return f"index/{source.kind}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _image(raw: Raw, stamp: str, looks: bool) -> dict[str, Any]:
    data = raw.fields.get("raw", b"")
    readable = raw.error is None
    return {
        "uri": raw.address.uri,
        "item": raw.address.item,
        "stamp": stamp,
        "locator": raw.address.locator,
        "container": raw.container,
        "size": len(data),
        "key": key_of(data) if readable else "",
        "side": side_digest(raw.fields) if readable else "",
        "look": perceptual_hash(data) if readable and looks else "",
        "error": raw.error or "",
    }


def scan(source: Source[Any], items: Sequence[Item], looks: bool, removed: Removed) -> bytes:
    """A part of the index, as parquet: every image of these items; of a removed one only that there is something."""
    stamps = {item.uri: item.stamp for item in items}
    rows = [_image(raw, stamps[raw.address.item], looks) for raw in source.scan(items)]
    rows = [row | BLANK if row["key"] in removed else row for row in rows]
    seen = {row["item"] for row in rows}
    return _parquet(rows + [_nothing(item.uri, item.stamp) for item in items if item.uri not in seen])


def _nothing(item: str, stamp: str) -> dict[str, Any]:
    """The row of an item that holds no image (any more)."""
    empty = dict.fromkeys(("locator", "container", "key", "side", "look", "error"), "")
    return {**empty, "uri": item, "item": item, "stamp": stamp, "size": 0}


def _parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), stream, compression="zstd")
    return stream.getvalue()


def _store(data: bytes, storage: Storage, prefix: str) -> None:
    """Store a part; its name sorts after every earlier part, and later parts supersede."""
    storage.write(f"{prefix}/part-{time.time_ns():020d}-{hashlib.sha256(data).hexdigest()[:8]}.parquet", data)


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


def read_index(storage: Storage, prefix: str) -> list[Image]:
    """Every image, as last read, in the order of URIs."""
    latest: dict[str, list[Image]] = {}
    for entry in storage.list(f"{prefix}/"):
        found: dict[str, list[Image]] = {}
        for row in pq.read_table(io.BytesIO(storage.read(entry.path))).to_pylist():
            found.setdefault(row["item"], []).append(Image(**row))
        latest.update(found)
    images = (image for images in latest.values() for image in images if image.stamp != GONE)
    return sorted(images, key=lambda i: i.uri)


def forget(storage: Storage, part: str, gone: Collection[str]) -> None:
    """Blank the images of these keys in a part of an index, as if they had been removed before it was read."""
    rows = pq.read_table(io.BytesIO(storage.read(part))).to_pylist()
    kept = [row | BLANK if row["key"] in gone else row for row in rows]
    if kept != rows:
        storage.write(part, _parquet(kept))


def changes(source: Source[Any], known: Sequence[Image], retry: bool = False) -> Change:
    """List the source and say which items the index has not read (or not as they are now), and which are gone.

    With `retry` only what could not be read counts as unread, unless nothing was ever read.
    """
    stamps = {image.item: image.stamp for image in known}
    failed = {image.item for image in known if image.error}
    listed = set()
    unread = []
    for item in source.items():
        listed.add(item.uri)
        if item.uri in failed if retry and known else stamps.get(item.uri) != item.stamp:
            unread.append(item)
    return Change(tuple(unread), frozenset(stamps.keys() - listed))


def update(
    source: Source[Any],
    storage: Storage,
    looks: bool,
    removed: Removed,
    run: Callable[[Callable[[list[Item]], Any], list[list[Item]]], None],
    prune: bool,
    retry: bool = False,
) -> tuple[list[Image], Change]:
    """Bring the index up to date; `run(function, bundles)` does the reading, each bundle a stored part of its own.

    Answers every image that was not `removed`, and what the listing showed.

    Items that are gone stay in the index unless `prune` is asked for; `retry` reads again what could not be read,
    and nothing new.
    """
    prefix = index_prefix(source, looks)
    known = read_index(storage, prefix)
    change = changes(source, known, retry)
    if change.unread:
        run(lambda items: _store(scan(source, items, looks, removed), storage, prefix), list(parts(change.unread)))
    if change.gone and prune:
        _store(_parquet([_nothing(uri, GONE) for uri in sorted(change.gone)]), storage, prefix)
    if change.unread or (change.gone and prune):
        known = read_index(storage, prefix)
    return [image for image in known if image.key not in removed], change
