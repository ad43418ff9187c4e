"""Pick-a-Pic, version 1 or 2: parquet with two images a row and a person's choice (Kirstain et al., NeurIPS 2023)."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.storage import StorageError
from sluice.preprocess.sources import Address, Item, Raw, SourceConfig
from sluice.preprocess.sources.captions import Beside, is_plain
from sluice.preprocess.sources.safe_paths import printable
from sluice.preprocess.sources.stored import UNREADABLE, StoredSource, trouble

IMAGES = ("jpg_0", "jpg_1")
NEEDED = (*IMAGES, "label_0", "label_1", "caption")
# The release has none of these; copies that were screened do.
UNSAFE_COLUMNS = ("unsafe", "is_unsafe", "nsfw", "is_nsfw")
ORIGIN_COLUMNS = ("ranking_id", "model_0", "model_1", "image_0_uid", "image_1_uid")
ROWS_AT_ONCE = 16


class DamagedParquet(ValueError):
    """A parquet file, or a row group of it, cannot be read; says why."""


class PickAPicConfig(SourceConfig):
    """`ties`: CnC's code takes the second image of a tie; `drop` keeps only what somebody preferred."""

    split: Literal["train", "validation", "test", "validation_unique", "test_unique"] = "train"
    ties: Literal["second", "drop"] = "second"


class PickAPic(StoredSource[PickAPicConfig]):
    """The preferred image of every labelled pair, with its prompt as caption.

    Expects parquet files named `<split>-*.parquet`. Pairs without a label, and those that a column marks unsafe, are
    passed over; pictures are screened by the `safety` stage. An image's URI is `<file>#<row group>/<row>`.
    """

    kind = "pick_a_pic"
    config_type = PickAPicConfig

    def items(self) -> Iterator[Item]:
        empty = True
        start = f"{self.config.split}-"
        for entry in self.listing():
            if posixpath.basename(entry.path).startswith(start) and entry.path.endswith(".parquet"):
                empty = False
                error = trouble(entry, largest=entry.size)
                yield Item(printable(entry.path), entry.size, entry.stamp, None, error=error)
        if empty:
            raise self.wrong_layout(f"no file in it is named {start}*.parquet")

    def scan(self, items: Sequence[Item]) -> Iterator[Raw]:
        for item in items:
            if item.error:
                yield Raw(Address(item.uri, item.uri), error=item.error)
                continue
            try:
                with self.storage.open(item.uri) as stream:
                    yield from self._scan_file(item.uri, stream)
            except (DamagedParquet, *UNREADABLE) as error:
                yield Raw(Address(item.uri, item.uri), error=str(error))

    def read(self, addresses: Sequence[Address], fields: Collection[str]) -> Iterator[Raw]:
        ordered = sorted(addresses, key=lambda a: (a.item, *_place(a.locator)))
        for file, group in groupby(ordered, key=lambda a: a.item):
            wanted = {_place(address.locator): address for address in group}
            try:
                with self.storage.open(file) as stream:
                    yield from self._read_file(self._table(file, stream), wanted, fields)
            except (DamagedParquet, *UNREADABLE) as error:
                yield from (Raw(address, error=str(error)) for address in wanted.values())

    def _scan_file(self, file: str, stream: BinaryIO) -> Iterator[Raw]:
        table = self._table(file, stream)
        for group in range(table.num_row_groups):
            container = f"{file}#{group}"
            try:
                for row, values in _rows(table, group):
                    if (choice := self._choice(values)) is not None:
                        address = Address(f"{container}/{row}", file, f"{group}/{row}/{choice}")
                        yield self._raw(address, values, ("raw", "raw.json"))
            except DamagedParquet as error:
                yield Raw(Address(container, file), container=container, error=str(error))

    def _read_file(
        self, table: pq.ParquetFile, wanted: dict[tuple[int, int], Address], fields: Collection[str]
    ) -> Iterator[Raw]:
        """Takes the addresses that it has read out of `wanted`: (row group, row) -> address."""
        last = {group: row for group, row in wanted if group < table.num_row_groups}
        for group, stop in last.items():
            try:
                for row, values in _rows(table, group, range(stop + 1)):
                    if address := wanted.pop((group, row), None):
                        yield self._raw(address, values, fields)
            except DamagedParquet as error:
                for place in [place for place in wanted if place[0] == group]:
                    yield Raw(wanted.pop(place), error=str(error))
        for address in wanted.values():
            yield Raw(address, error=f"'{address.item}' no longer has this row; plan again")

    def _table(self, file: str, stream: BinaryIO) -> pq.ParquetFile:
        """The file, which has the columns that are needed. Raises DamagedParquet, SourceError."""
        with _explaining("not a parquet file"):
            table = pq.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
        missing = [name for name in NEEDED if name not in table.schema_arrow.names]
        if missing:
            raise self.wrong_layout(f"{file} has no column {', '.join(missing)}; it has {table.schema_arrow.names}")
        return table

    def _choice(self, row: Mapping[str, Any]) -> int | None:
        """0 or 1, the image to keep; None for a pair without a label, an unsafe one, and a tie where those go."""
        if row.get("has_label") is False or any(row.get(name) for name in UNSAFE_COLUMNS):
            return None
        first, second = row["label_0"], row["label_1"]
        if first is None or second is None or (first == second and self.config.ties == "drop"):
            return None
        return 0 if first > second else 1

    def _raw(self, address: Address, row: Mapping[str, Any], fields: Collection[str]) -> Raw:
        choice = int(address.locator.rpartition("/")[2])
        container = address.uri.rpartition("/")[0]
        data = row[IMAGES[choice]]
        if isinstance(data, Mapping):  # as `datasets` stores its Image feature
            data = data.get("bytes")
        if not isinstance(data, bytes) or not data:
            return Raw(address, container=container, error=f"the preferred image, {IMAGES[choice]}, has no bytes")
        found = {"raw": data}
        if "raw.json" in fields:
            beside = Beside()
            beside.add_all(row["caption"], "caption")
            about = {
                "ranking": row.get("ranking_id"),
                "model": row.get(f"model_{choice}"),
                "image_uid": row.get(f"image_{choice}_uid"),
                "tie": True if row["label_0"] == row["label_1"] else None,
            }
            facts = {name: fact for name, fact in about.items() if is_plain(fact)}
            found["raw.json"] = beside.encode(self.kind, address.uri, **facts)
        return Raw(address, found, container=container)


@contextmanager
def _explaining(what: str) -> Iterator[None]:
    """Turn whatever pyarrow trips over into DamagedParquet; a storage's own errors pass."""
    try:
        yield
    except StorageError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedParquet(f"{what}: {error}") from error


def _rows(table: pq.ParquetFile, group: int, only: range | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row, values) of a row group, a few rows in memory at a time; nothing is read after the last of `only`."""
    names = set(table.schema_arrow.names)
    columns = [name for name in (*NEEDED, "has_label", *UNSAFE_COLUMNS, *ORIGIN_COLUMNS) if name in names]
    start = 0
    with _explaining("the row group is damaged"):
        for batch in table.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=columns):
            if only is not None and start not in only:
                return
            yield from enumerate(batch.to_pylist(), start)
            start += batch.num_rows


def _place(locator: str) -> tuple[int, int]:
    group, row, _ = locator.split("/")
    return int(group), int(row)
