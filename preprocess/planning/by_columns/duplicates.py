"""Equal images among new ones, told apart: the first URI stays, and lists the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sluice.infra.parallel import in_threads
from sluice.preprocess.planning.by_columns.survey import Surveyed, rows_of
from sluice.preprocess.planning.catalogue import Catalogue
from sluice.preprocess.planning.columns import Mask, Numbers, Places, place_of, recurring, within


@dataclass(frozen=True)
class Duplicates:
    """The places of images that have duplicates, ordered; the URIs of the i-th one's go from starts[i] to the next."""

    places: Places
    starts: NDArray[np.intp]
    uris: pa.Array

    def lists(self, places: Places) -> pa.Array:
        """The duplicates of each of some images."""
        listed, counts = self.of(places), np.zeros(len(places) + 1, np.int32)
        for i, uris in listed.items():
            counts[i + 1] = len(uris)
        uris = pa.array([uri for uris in listed.values() for uri in uris], pa.string())
        return pa.ListArray.from_arrays(pa.array(np.cumsum(counts, dtype=np.int32)), uris)

    def of(self, places: Places) -> dict[int, list[str]]:
        """The duplicates of images that have some, by their positions among those asked for."""
        if not len(self.places):
            return {}
        at = np.minimum(np.searchsorted(self.places, places), len(self.places) - 1)
        found = np.flatnonzero(self.places[at] == places)
        return {int(i): self.uris[self.starts[at[i]] : self.starts[at[i] + 1]].to_pylist() for i in found}


def choose(catalogue: Catalogue, found: Surveyed, planned: Numbers) -> tuple[dict[int, Mask], Duplicates]:
    """Of the readable images of each part, those that are neither `planned` nor duplicates; and who has duplicates."""
    chosen = {part: ~within(found.keys[start:stop], planned) for part, (start, stop) in found.starts.items()}
    new = np.concatenate([*chosen.values(), np.zeros(0, bool)])
    several = np.zeros(len(new), bool)
    several[new] = recurring(found.keys[new] if len(planned) else found.keys)
    read = in_threads(lambda part: _alike(catalogue, found, part, several[slice(*found.starts[part])]), chosen, None)
    alike = pa.concat_tables([table for table in read if table is not None] or [EMPTY])
    alike = alike.sort_by([("key", "ascending"), ("uri", "ascending")])
    key = alike["key"].to_numpy()
    first = np.append(True, key[1:] != key[:-1])[: len(key)]
    _leave(chosen, alike["part"].to_numpy()[~first], alike["row"].to_numpy()[~first])
    places = alike["place"].to_numpy()
    winners = places[first][np.cumsum(first)[~first] - 1]
    order = np.argsort(winners, kind="stable")
    having, counts = np.unique(winners, return_counts=True)
    uris = alike["uri"].combine_chunks().filter(pa.array(~first)).take(order)
    return chosen, Duplicates(having, np.append(0, np.cumsum(counts)), uris)


EMPTY = pa.table(
    {
        "key": pa.array([], pa.uint64()),
        "uri": pa.array([], pa.string()),
        "place": pa.array([], pa.int64()),
        "part": pa.array([], pa.int64()),
        "row": pa.array([], pa.int64()),
    }
)


def _alike(catalogue: Catalogue, found: Surveyed, part: int, several: Mask) -> pa.Table | None:
    """The chosen images of a part whose keys occur `several` times."""
    own = np.flatnonzero(several)
    if not len(own):
        return None
    keys, rows = found.keys[slice(*found.starts[part])], rows_of(found.holding[part])[own]
    held, table = catalogue.rows(part, ["uri"])
    columns = [keys[own], table["uri"].take(rows), place_of(part, held[rows]), np.full(len(own), part), own]
    return pa.table(columns, schema=EMPTY.schema)


def _leave(chosen: Mapping[int, Mask], parts: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    """Take rows out of what is chosen."""
    order = np.argsort(parts, kind="stable")
    there, starts = np.unique(parts[order], return_index=True)
    for part, start, stop in zip(there, starts, [*starts, len(rows)][1:], strict=True):
        chosen[int(part)][rows[order[start:stop]]] = False
