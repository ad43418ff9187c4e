"""New shards from columns: containers cut in the order of URIs, ids from the rows' digests; strings are not held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.infra.parallel import in_threads
from sluice.preprocess.planning.by_columns.by_uri import first_uri, in_order, pieces
from sluice.preprocess.planning.by_columns.duplicates import Duplicates
from sluice.preprocess.planning.by_columns.survey import Bits, rows_of
from sluice.preprocess.planning.catalogue import Catalogue, read_part
from sluice.preprocess.planning.columns import Mask, Places, keys_of, place_of, split_place
from sluice.preprocess.planning.index import ROW_BYTES
from sluice.preprocess.planning.plan import ROW, id_of
from sluice.preprocess.planning.rule import bounds

PARTS_AT_HAND = 8
STRINGS = ("key", "uri", "item", "locator", "side")
DUPLICATES = ROW.field("duplicates")


@dataclass(frozen=True)
class New:
    """The images that come into new shards: of each part which of its readable ones, who has duplicates, which rows
    these readable ones are, and the containers of each part."""

    catalogue: Catalogue
    chosen: Mapping[int, Mask]
    duplicates: Duplicates
    holding: Mapping[int, Bits]
    containers: Mapping[int, list[str]]

    def of(self, part: int, columns: Sequence[str]) -> tuple[Places, pa.Table]:
        """The chosen images of a part: their places, and columns."""
        held, table = self.catalogue.rows(part, columns)
        rows = rows_of(self.holding[part])[self.chosen[part]]
        return place_of(part, held[rows]), table.take(rows).combine_chunks()


@dataclass(frozen=True)
class Made:
    """A new shard: the places of its rows in the index, by key; `strings` are the rows at some places."""

    container: str
    id: str
    places: Places
    strings: Callable[[Places], pa.Table]
    duplicates: Duplicates

    @property
    def records(self) -> int:
        return len(self.places)

    def table(self) -> pa.Table:
        return self.strings(self.places).append_column(DUPLICATES, self.duplicates.lists(self.places))


def arrange(new: New, shard_size: int) -> Iterator[Made]:
    """The new shards, by container and URI."""
    containers: dict[str, dict[int, int]] = defaultdict(dict)
    parts = [part for part, mask in new.chosen.items() if mask.any()]
    for part, found in zip(parts, in_threads(lambda own: _containers(new, own), parts, None), strict=True):
        for container, count in found:
            containers[container][part] = count
    strings = strings_of(new.catalogue)
    tables = {uris: lru_cache(PARTS_AT_HAND)(partial(_sortable, new, uris)) for uris in (False, True)}

    def cut(container: str) -> list[Made]:
        counts = containers[container]
        sizes = [stop - start for start, stop in bounds(sum(counts.values()), shard_size)]
        read = partial(_of_container, tables[len(counts) > 1], container)
        first = [(first_uri(new.catalogue, part), part) for part in counts] if len(counts) > 1 else []
        found = in_order(sorted(first), read) if first else map(read, counts)
        return [_made(container, piece, strings, new.duplicates) for piece in pieces(found, sizes)]

    for made in in_threads(cut, sorted(containers), None):
        yield from made


def _sortable(new: New, uris: bool, part: int) -> pa.Table:
    """What tells where the chosen images of a part belong."""
    names = ["row", *(["container"] if len(new.containers[part]) > 1 else []), *(["uri"] if uris else [])]
    places, table = new.of(part, ["key", *names])
    columns = {"place": places, "key": keys_of(table["key"].combine_chunks())}
    return pa.table({**columns, **{name: table[name] for name in names}})


def _of_container(read: Callable[[int], pa.Table], container: str, part: int) -> pa.Table:
    table = read(part)
    if "container" not in table.column_names:  # all of it is of this one
        return table
    rows: pa.Table = table.filter(pc.equal(table["container"], container)).drop_columns("container")
    return rows


def _made(container: str, rows: pa.Table, strings: Callable[[Places], pa.Table], duplicates: Duplicates) -> Made:
    order = np.argsort(rows["key"].to_numpy())
    places, keys = rows["place"].to_numpy()[order], rows["key"].to_numpy()[order]
    row = rows["row"].combine_chunks()
    digests = np.frombuffer(row.buffers()[1], np.uint8, len(row) * ROW_BYTES, row.offset * ROW_BYTES)
    told = ((f"{keys[i]:016x}", uris) for i, uris in duplicates.of(places).items())
    return Made(container, id_of(digests.reshape(-1, ROW_BYTES)[order].tobytes(), told), places, strings, duplicates)


def _containers(new: New, part: int) -> list[tuple[str, int]]:
    """How many chosen images of a part are of each container."""
    if len(new.containers[part]) == 1:
        return [(new.containers[part][0], int(new.chosen[part].sum()))]
    counts = new.of(part, ["container"])[1]["container"].value_counts()
    return [(found["values"], found["counts"]) for found in counts.to_pylist()]


def strings_of(catalogue: Catalogue) -> Callable[[Places], pa.Table]:
    """A function that reads rows at some places of an index; it keeps a few parts at hand."""

    @lru_cache(PARTS_AT_HAND)
    def read(part: int) -> pa.Table:
        return read_part(catalogue.storage, catalogue.path(part), STRINGS)

    def take(places: Places) -> pa.Table:
        parts, rows = split_place(places)
        there = [np.flatnonzero(parts == part) for part in np.unique(parts)]
        tables = [read(int(parts[own[0]])).take(rows[own]) for own in there]
        return pa.concat_tables(tables).take(np.argsort(np.concatenate(there))).combine_chunks()

    return take
