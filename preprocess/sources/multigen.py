"""MultiGen-20M (UniControl, Qin et al., NeurIPS 2023): images, prompts and ready conditions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any

from sluice.infra.storage import Entry, MissingFile
from sluice.preprocess.perception.decode import DecodeError, decode, read_header
from sluice.preprocess.record import encode_json, encode_png
from sluice.preprocess.sources import Address, Item, Raw, SourceConfig
from sluice.preprocess.sources.captions import Beside
from sluice.preprocess.sources.colour_maps import labels_from_colours
from sluice.preprocess.sources.json_lines import JsonLines, json_lines
from sluice.preprocess.sources.safe_paths import unsafe_path
from sluice.preprocess.sources.stored import ImageFiles, extension, is_image, item_of, trouble

IMAGES, CONDITIONS, TABLES = "images/", "conditions/", "json_files/"
ABSENT = "it is not there"
# Our field <- the release's key; its other conditions (normals, boxes, sketches ...) have no field here.
KEYS = {
    "raw.canny": "control_canny",
    "raw.hed": "control_hed",
    "raw.depth": "control_depth",
    "raw.pose": "control_openpose",
    "raw.segments": "control_seg",
}


class MultiGen(ImageFiles[SourceConfig]):
    """Every image that a table names, with its prompt and whatever ready conditions it has.

    Expects images/, conditions/ and json_files/ as unpacked from the release. A table is a file of JSON lines
    `{"source": "<path in images/>", "prompt": ..., "control_canny": "<path in conditions/>"}`, one file a condition;
    lines about one image are put together. `raw.segments` is its coloured segmentation as 16-bit labels (PNG), the
    other conditions are the files as they are. An image without a line is passed over, as is a line without its image.
    Conditions are not listed: a changed one is noticed only together with its image or a table.
    """

    kind = "multigen"
    companions = tuple(KEYS)

    def items(self) -> Iterator[Item]:
        stamps = "+".join(table.stamp for table in self._tables)
        tables = hashlib.sha256(stamps.encode()).hexdigest()[:16]
        empty = True
        for entry in self.listing(IMAGES):
            if is_image(entry.path):
                empty = False
                yield item_of(entry, more_stamps=(tables,))
        if empty:
            raise self.wrong_layout(f"there is no image in {IMAGES}")

    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        for item in items:
            about = None if item.error else self._look_up(item.uri.removeprefix(IMAGES))
            if about is not None or item.error:
                locator = encode_json(about).decode() if about else ""
                yield from super().scan([Item(item.uri, item.size, item.stamp, 1, locator, item.error)])

    def load(self, address: Address, fields: Collection[str]) -> Raw:
        about = json.loads(address.locator)
        found = {"raw": self.storage.read(address.uri)}
        beside = Beside()
        beside.add(about["prompt"])
        for name, path in about["conditions"].items():
            if name in fields or "raw.json" in fields:
                self._condition(name, path, found, beside)
        if "raw.json" in fields:
            found["raw.json"] = beside.encode(self.kind, address.uri)
        return Raw(address, found)

    def _condition(self, name: str, path: str, found: dict[str, bytes], beside: Beside) -> None:
        """Add a condition, or the warning that it cannot be had."""
        if reason := unsafe_path(path) or self._unlisted(CONDITIONS + path):
            beside.warnings.append(f"{name}: {reason}")
            return
        try:
            data = self.storage.read(CONDITIONS + path)
            found[name] = _to_labels(data) if name == "raw.segments" else data
        except (MissingFile, DecodeError) as error:
            why = ABSENT if isinstance(error, MissingFile) else str(error)
            beside.warnings.append(f"{name}: {CONDITIONS}{path}: {why}")

    def _unlisted(self, path: str) -> str | None:
        """Why a file that a table names, and no listing has shown, is not to be read, or None."""
        entry = self.storage.head(path)
        return trouble(entry) if entry else f"{path}: {ABSENT}"

    def _look_up(self, source: str) -> dict[str, Any] | None:
        """The prompt and the conditions of an image, from every table; None where no table names it."""
        lines = [line for table in self._lines for line in _find(table, source)]
        if not lines:
            return None
        prompts = [line["prompt"] for line in lines if isinstance(line.get("prompt"), str)]
        conditions = {
            name: str(line[key]).removeprefix("./")
            for line in reversed(lines)
            for name, key in KEYS.items()
            if key in line
        }
        return {"prompt": prompts[0] if prompts else "", "conditions": conditions}

    @cached_property
    def _tables(self) -> list[Entry]:
        tables = [
            e for e in self.listing(TABLES) if extension(e.path) in (".json", ".jsonl") and not trouble(e, e.size)
        ]
        if not tables:
            raise self.wrong_layout(f"there is no table (.json or .jsonl, one JSON object a line) in {TABLES}")
        return tables

    @property
    def _lines(self) -> list[JsonLines]:
        opened = [json_lines(self.config.uri, table.path, table.stamp, "source") for table in self._tables]
        for table, lines in zip(self._tables, opened, strict=True):
            if not len(lines.marks):
                raise self.wrong_layout(f"{table.path} has no line of JSON with a 'source'")
        return opened


def _find(table: JsonLines, source: str) -> Iterator[dict[str, Any]]:
    """A table writes a path with or without './'."""
    line = table.find(source) or table.find(f"./{source}")
    if line:
        yield line


def _to_labels(data: bytes) -> bytes:
    return encode_png(labels_from_colours(decode(data, read_header(data))))
