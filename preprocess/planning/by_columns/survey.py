"""What an index holds for a plan, part by part, as columns: images that may be new, and those that cannot be read."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sluice.infra.parallel import in_threads
from sluice.preprocess.planning.catalogue import Catalogue
from sluice.preprocess.planning.columns import Mask, Numbers, keys_of
from sluice.preprocess.planning.index import Image
from sluice.preprocess.planning.removed import Removed

Rows = NDArray[np.intp]
Bits = NDArray[np.uint8]
"""One for each row of a part, eight a byte."""


@dataclass(frozen=True)
class View:
    """An index without what was removed. Of the parts `after`, only `known` URIs are seen, where these are given."""

    catalogue: Catalogue
    removed: Removed
    after: frozenset[int]
    known: frozenset[str] | None = None

    @cached_property
    def _known(self) -> pa.Array:
        return pa.array(sorted(self.known or ()), pa.string())

    def readable(self, part: int, columns: Collection[str]) -> tuple[Rows, pa.Table]:
        """The numbers of the rows with readable images, and their columns."""
        rows, table, seen = self.seen(part, ["key", *columns])
        chosen = np.flatnonzero(seen & told(table["key"]))
        return rows[chosen], table.take(chosen).combine_chunks()

    def find(self, keys: Numbers) -> Iterator[Image]:
        """The images of these keys, which are ordered."""
        for part, image in self.catalogue.find(keys):
            hidden = part in self.after and self.known is not None and image.uri not in self.known
            if image.key not in self.removed and not hidden:
                yield image

    def seen(self, part: int, columns: Collection[str]) -> tuple[Rows, pa.Table, Mask]:
        """The rows that hold, some columns of them, the keys among these, and which of them are to be seen."""
        hidden = self.known is not None and part in self.after
        rows, table = self.catalogue.rows(part, dict.fromkeys([*columns, *(["uri"] if hidden else [])]))
        seen = np.ones(len(table), bool)
        if self.removed:
            seen &= np.fromiter((key not in self.removed for key in table["key"].to_pylist()), bool, len(table))
        if hidden:
            seen &= pc.is_in(table["uri"], self._known).to_numpy()
        return rows, table, seen


def told(column: pa.ChunkedArray) -> Mask:
    """Where a column says something."""
    there: Mask = pc.not_equal(column, "").to_numpy()
    return there


@dataclass(frozen=True)
class Surveyed:
    """How many images are readable, those that are not; of the parts `after` the keys, one part after the other, which
    rows these are of, and the containers."""

    readable: int
    unreadable: list[dict[str, str]]
    keys: Numbers
    starts: dict[int, tuple[int, int]]
    holding: dict[int, Bits]
    containers: dict[int, list[str]]


def rows_of(holding: Bits) -> Rows:
    """The numbers of the rows whose bits are set."""
    return np.flatnonzero(np.unpackbits(holding))


def survey(view: View) -> Surveyed:
    """Look at every part once."""
    found = in_threads(lambda part: _of_part(view, part), range(len(view.catalogue.parts)), None)
    readable, unreadable, keys = 0, [], array("Q")
    starts: dict[int, tuple[int, int]] = {}
    holding: dict[int, Bits] = {}
    containers: dict[int, list[str]] = {}
    for part, own in enumerate(found):
        readable += own.readable
        unreadable += own.unreadable
        if part in view.after:
            starts[part] = (len(keys), len(keys) + own.readable)
            keys.frombytes(own.keys.tobytes())
            holding[part] = own.holding
            containers[part] = own.containers
    unreadable.sort(key=lambda entry: entry["uri"])
    return Surveyed(readable, unreadable, np.frombuffer(keys, np.uint64), starts, holding, containers)


@dataclass(frozen=True)
class _OfPart:
    readable: int
    unreadable: list[dict[str, str]]
    keys: Numbers
    holding: Bits
    containers: list[str]


def _of_part(view: View, part: int) -> _OfPart:
    new, fails = part in view.after, view.catalogue.fails(part)
    asked = ["key", *(["uri", "error"] if fails else []), *(["container"] if new else [])]
    _, table, seen = view.seen(part, asked)
    mask = seen & told(table["key"])
    entries = _unreadable(table, seen) if fails else []
    if not new:
        return _OfPart(int(mask.sum()), entries, np.zeros(0, np.uint64), np.zeros(0, np.uint8), [])
    own = table.select(["key", "container"]).filter(pa.array(mask)).combine_chunks()
    containers = pc.unique(own["container"]).to_pylist()
    return _OfPart(len(own), entries, keys_of(own["key"].combine_chunks()), np.packbits(mask), containers)


def _unreadable(table: pa.Table, seen: Mask) -> list[dict[str, str]]:
    found = table.select(["uri", "error"]).filter(pa.array(seen & told(table["error"])))
    columns = (found[name].to_pylist() for name in ("uri", "error"))
    return [{"uri": uri, "reason": error} for uri, error in zip(*columns, strict=True)]
