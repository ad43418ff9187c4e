"""An index's parts as columns: which of their rows hold, and which items they tell of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sluice.infra.local import LocalStorage
from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.infra.tables import naming
from sluice.preprocess.planning.columns import Numbers, hashed, keys_of, recurring, within
from sluice.preprocess.planning.index import FEW_VALUES, GONE, READ_ANEW, SCHEMA, Image

IMAGE = [name for name in SCHEMA.names if name != "row"]


@dataclass(frozen=True)
class _Items:
    """The items that a part tells of: the hashes of their names and of (name, stamp), and names of certain ones."""

    names: Numbers
    stamps: Numbers
    gone: frozenset[str]
    failed: frozenset[str]


@dataclass(frozen=True)
class Catalogue:
    """An index as its parts are now, oldest first.

    `again` are items that several parts tell of, with the places of these parts in order: the last one holds.
    """

    storage: Storage
    prefix: str
    parts: tuple[str, ...]
    again: Mapping[str, tuple[int, ...]]
    _items: tuple[_Items, ...]

    @cached_property
    def _dropped(self) -> dict[int, set[str]]:
        """The items of each part whose rows do not hold: a later part tells of them, or they are gone."""
        dropped = {place: set(items.gone) for place, items in enumerate(self._items) if items.gone}
        for item, places in self.again.items():
            for place in places[:-1]:
                dropped.setdefault(place, set()).add(item)
        return dropped

    def path(self, place: int) -> str:
        """Where a part lies."""
        return f"{self.prefix}/{self.parts[place]}"

    def rows(self, place: int, columns: Collection[str]) -> tuple[NDArray[np.intp], pa.Table]:
        """The rows of a part that hold: their numbers in it, and these columns."""
        dropped = self._dropped.get(place)
        asked = dict.fromkeys([*columns, "item"] if dropped else columns)
        few = [name for name in FEW_VALUES if name in columns and not dropped]
        table = read_part(self.storage, self.path(place), list(asked), few)
        if not dropped:
            return np.arange(len(table)), table
        held = pc.invert(pc.is_in(table["item"], pa.array(sorted(dropped), pa.string())))
        return np.flatnonzero(held), table.filter(held).select(list(columns)).combine_chunks()

    @cached_property
    def items(self) -> Numbers:
        """The hashes of the items that the source had when it was last listed and read, ordered."""
        return self._held("names")

    @cached_property
    def stamps(self) -> Numbers:
        """The hashes of (item, stamp) of the same items, ordered."""
        return self._held("stamps")

    def _held(self, column: str) -> Numbers:
        found = []
        for place, items in enumerate(self._items):
            dropped = np.sort(hashed(self._dropped.get(place, ())))
            found.append(getattr(items, column)[~within(items.names, dropped)])
        return np.sort(np.concatenate([*found, np.zeros(0, np.uint64)]))

    @cached_property
    def failed(self) -> frozenset[str]:
        """The items of which something could not be read."""
        held = (items.failed - self._dropped.get(place, set()) for place, items in enumerate(self._items))
        return frozenset().union(*held)

    def fails(self, place: int) -> bool:
        """Whether a part tells of something that could not be read."""
        return bool(self._items[place].failed)

    def named(self, hashes: Numbers) -> frozenset[str]:
        """The names of items, by their ordered hashes."""
        places = [place for place, items in enumerate(self._items) if within(items.names, hashes).any()]
        found: set[str] = set()
        for place in places:
            names = pc.unique(self.rows(place, ["item"])[1]["item"]).to_pylist()
            found.update(name for name in names if within(hashed([name]), hashes)[0])
        return frozenset(found)

    def find(self, keys: Numbers) -> Iterator[tuple[int, Image]]:
        """The images of these keys, which are ordered, each with the place of its part."""
        for place, found in enumerate(in_threads(lambda p: self._with_keys(p, keys), range(len(self.parts)), None)):
            if len(found):
                yield from ((place, image) for image in self.images(place, found))

    def _with_keys(self, place: int, keys: Numbers) -> NDArray[np.intp]:
        _, table = self.rows(place, ["key"])
        there = np.flatnonzero(pc.not_equal(table["key"], ""))
        return there[within(keys_of(table["key"].combine_chunks().take(there)), keys)]

    def images(self, place: int, chosen: Sequence[int] | NDArray[np.intp] | None = None) -> Iterator[Image]:
        """The images of a part that hold, or of these those at certain places."""
        _, table = self.rows(place, IMAGE)
        for row in (table if chosen is None else table.take(chosen)).to_pylist():
            yield Image(**row)

    def all_images(self) -> list[Image]:
        """Every image, in the order of URIs: some 1.3 kB each."""
        found = (image for place in range(len(self.parts)) for image in self.images(place))
        return sorted(found, key=lambda image: image.uri)


def read_catalogue(storage: Storage, prefix: str, before: Catalogue | None = None) -> Catalogue:
    """The catalogue of an index; of parts that `before` knows nothing is read again."""
    names = [entry.path.rpartition("/")[2] for entry in storage.list(f"{prefix}/part-")]
    known = dict(zip(before.parts, before._items, strict=True)) if before else {}
    read = in_threads(lambda name: known.get(name) or _read_items(storage, f"{prefix}/{name}"), names, None)
    items = tuple(read)
    return Catalogue(storage, prefix, tuple(names), _again(storage, prefix, names, items), items)


def read_part(storage: Storage, path: str, columns: Sequence[str], few: Sequence[str] = ()) -> pa.Table:
    """Columns of a part, those of `few` values as dictionaries. Raises DamagedTable.

    Of a file at hand no more than these is read; from elsewhere all of it comes by one request.
    """
    part = storage.open(path) if isinstance(storage, LocalStorage) else pa.BufferReader(storage.read(path))
    with part, naming(storage, path, READ_ANEW):
        file = pq.ParquetFile(part, read_dictionary=few)
        return file.read(columns, use_threads=False).combine_chunks()


def _read_items(storage: Storage, path: str) -> _Items:
    names, stamps, errors = _columns(storage, path)
    return _Items(
        hashed(names),
        hashed(zip(names, stamps, strict=True)),
        frozenset(name for name, stamp in zip(names, stamps, strict=True) if stamp == GONE),
        errors,
    )


def _columns(storage: Storage, path: str) -> tuple[list[str], list[str], frozenset[str]]:
    """The items of a part and their stamps, and those of which something could not be read."""
    columns = ["item", "stamp", "error"]
    table = read_part(storage, path, columns, columns)
    if not len(table):
        return [], [], frozenset()
    item, stamp, error = (column.chunk(0) for column in table.columns)
    codes, first = np.unique(item.indices.to_numpy(), return_index=True)
    failed = (
        frozenset(item.filter(pc.not_equal(error, "")).to_pylist())
        if set(error.dictionary.to_pylist()) - {""}
        else frozenset()
    )
    return item.dictionary.take(codes).to_pylist(), stamp.take(first).to_pylist(), failed


def _again(storage: Storage, prefix: str, names: Sequence[str], items: Sequence[_Items]) -> dict[str, tuple[int, ...]]:
    """The items that several parts tell of; those of equal hashes are compared by name."""
    several = recurring(np.concatenate([*(own.names for own in items), np.zeros(0, np.uint64)]))
    places: dict[str, list[int]] = {}
    for place, again in enumerate(np.split(several, np.cumsum([len(own.names) for own in items]))[:-1]):
        if again.any():
            told = _columns(storage, f"{prefix}/{names[place]}")[0]
            for name in np.array(told, object)[again]:
                places.setdefault(name, []).append(place)
    return {name: tuple(found) for name, found in places.items() if len(found) > 1}
