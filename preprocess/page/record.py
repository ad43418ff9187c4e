"""The page of one record: every field in full size, what made it, and where its bytes lie."""

from __future__ import annotations

import base64
import json
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from sluice.infra.errors import SluiceError
from sluice.infra.page.blocks import Block, Cell, Code, Figure, Fold, Page, Section, Strip, Table, Text
from sluice.infra.page.text import time_text
from sluice.infra.storage import Storage
from sluice.infra.tables import read_table
from sluice.preprocess.page.pictures import figure, in_words, is_picture, picture
from sluice.preprocess.page.records import by_shard, controls_of, facts_of, shown_fields, silenced_strip
from sluice.preprocess.page.stages import notices
from sluice.preprocess.record import Record, field_named
from sluice.preprocess.shards import ShardError
from sluice.preprocess.version.export import read_export, scalars
from sluice.preprocess.version.manifest import Version, table_rows

READERS = 16
LARGEST = 1024
LARGEST_SILENCED = 512
NAMED_KEYS = 5


class UnknownRecord(SluiceError):
    """The version holds no such record."""


@dataclass(frozen=True)
class Place:
    """A field's bytes and where they lie: the stage's tar, from which byte."""

    field: str
    stage: str
    file: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Found:
    """A record of a version, the shard that holds it, and its fields' places."""

    key: str
    ordinal: int
    outputs: list[dict[str, Any]]
    places: list[Place]

    @property
    def record(self) -> Record:
        return Record(self.key, {place.field: place.data for place in self.places})


def find_record(storage: Storage, version: Version, key: str) -> Found:
    """The record of this key, or of the only one that begins so.

    Raises UnknownRecord, which says why where the record was left out, and ShardError for a damaged tar.
    """
    name = f"data set '{version.dataset}', version {version.id}"
    shards = by_shard(table_rows(storage, version, "shards.parquet"))
    with ThreadPoolExecutor(READERS) as readers:
        found = [
            match for part in readers.map(lambda o: _matches(storage, o, shards[o], key), shards) for match in part
        ]
    if len(found) > 1:
        keys = ", ".join(sorted(k for _, k in found)[:NAMED_KEYS])
        raise UnknownRecord(
            f"{name} has {len(found)} records whose key begins with '{key}': {keys}, ...; give more of it"
        )
    if not found:
        raise UnknownRecord(f"{name} has no record '{key}'{_why(storage, version, key)}")
    ordinal, whole = found[0]
    places = [place for output in shards[ordinal] for place in _places(storage, output, whole)]
    return Found(whole, ordinal, shards[ordinal], places)


def _matches(storage: Storage, ordinal: int, outputs: list[dict[str, Any]], start: str) -> list[tuple[int, str]]:
    """The keys beginning with `start` among those that every stage kept."""
    if not all(output["sidecar"] for output in outputs):
        return []
    kept = (_keys(storage, output["sidecar"], start) for output in outputs)
    keys = next(kept)
    for others in kept:
        if not keys:
            break
        keys &= others
    return [(ordinal, key) for key in sorted(keys)]


def _keys(storage: Storage, sidecar: str, start: str) -> set[str]:
    return {key for key in read_table(storage, sidecar, ["key"])["key"].to_pylist() if key.startswith(start)}


def _why(storage: Storage, version: Version, key: str) -> str:
    for entry in table_rows(storage, version, "quarantine.parquet"):
        if key and entry["key"].startswith(key):
            return f": stage '{entry['stage']}' left out {entry['uri']} because: {entry['reason']}"
    return "; its page lists some of its keys, and `uri` and `key` of all are in the parquet beside each shard"


def _places(storage: Storage, output: Mapping[str, Any], key: str) -> Iterator[Place]:
    """Where a stage's tar holds the record; only headers are read up to there, and nothing behind it."""
    try:
        with storage.open(output["file"]) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                member_key, _, field = member.name.partition(".")
                if member_key > key:
                    return
                content = tar.extractfile(member) if member_key == key else None
                if content is not None:
                    yield Place(field, output["stage"], output["file"], member.offset_data, content.read())
    except tarfile.TarError as error:
        raise ShardError(
            f"{storage.uri}/{output['file']}: not a whole tar ({error}); build again, which makes it anew"
        ) from error


def record_page(storage: Storage, version: Version, key: str, when: datetime) -> Page:
    """The page of one record of a version. Raises UnknownRecord, ShardError."""
    found = find_record(storage, version, key)
    record = found.record
    sections = [
        Section("fields", "Fields", [Strip([_figure(record, name) for name in shown_fields(record)], size="large")]),
        Section(
            "silenced",
            "Silenced controls",
            [silenced_strip(record, control, LARGEST_SILENCED, "medium") for control in controls_of(record)],
        ),
        Section("texts", "Texts", _texts(record)),
        Section("scalars", "Scalars", [_scalars(storage, found)]),
        Section(
            "places", "Where it lies", [_place_table(found), _stage_table(version), *_merged(storage, version, found)]
        ),
    ]
    return Page(
        title=found.key,
        about=f"record of {version.dataset}, version {version.id}",
        facts=[
            *zip(("image", "original", "split"), facts_of(record), strict=False),
            ("page made", time_text(when)),
        ],
        sections=[section for section in sections if section.blocks],
        notices=notices(version.manifest["stages"], version.manifest["left_out"]),
    )


def _figure(record: Record, name: str) -> Figure:
    """A field in full size; as it is stored, where a browser shows that rightly."""
    if not is_picture(name):
        return Figure(name, text=in_words(name, record[name]))
    value, about = record[name], field_named(name).describes
    if value.dtype == np.uint16:
        return figure(name, picture(name, value), LARGEST, f"{about}; drawn in colours here, 16 bits in the file")
    kind = "png" if name.endswith("png") else "jpeg"
    source = f"data:image/{kind};base64,{base64.b64encode(record.encode(name)).decode()}"
    return Figure(name, source, value.shape[1], value.shape[0], note=about)


def _texts(record: Record) -> list[Block]:
    blocks: list[Block] = []
    if "txt" in record:
        blocks.append(Code(record["txt"]) if record["txt"] else Text("`txt` is empty: the image has no caption."))
    for name in sorted(name for name in record.encoded if name.endswith("json")):
        pretty = json.dumps(record[name], indent=2, ensure_ascii=False, sort_keys=True)
        blocks.append(Fold("", name, [Code(pretty)], open=name == "json"))
    return blocks


def _scalars(storage: Storage, found: Found) -> Table:
    row = next(row for row in scalars(storage, found.outputs) if row["key"] == found.key)
    return Table(
        ("scalar", "value"), [[Cell(name), Cell(str(value))] for name, value in row.items() if name != "caption"]
    )


def _place_table(found: Found) -> Table:
    rows = [
        [
            Cell(p.field, code=True),
            Cell(p.stage),
            Cell(p.file, code=True),
            Cell(f"{p.offset:,}"),
            Cell(f"{len(p.data):,}"),
        ]
        for p in found.places
    ]
    return Table(("field", "stage", "file", "from byte", "bytes"), rows, frozenset({"from byte", "bytes"}))


def _stage_table(version: Version) -> Table:
    rows = [
        [Cell(s["name"]), Cell(s["model"] or "–"), Cell(str(s["version"])), Cell(s["fingerprint"], code=True)]
        for s in version.manifest["stages"]
    ]
    return Table(("stage", "model", "version", "fingerprint"), rows)


def _merged(storage: Storage, version: Version, found: Found) -> list[Block]:
    target = f"{version.prefix}/{version.dataset}-{found.ordinal:05d}"
    exported = read_export(storage, version.prefix).get(target)
    return [Text(f"Merged, with its scalars beside it: `{target}.tar`.")] if exported and exported.size else []
