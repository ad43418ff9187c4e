"""Rows of several parts of an index in the order of their URIs, without holding all parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sluice.infra.tables import naming
from sluice.preprocess.planning.catalogue import Catalogue
from sluice.preprocess.planning.index import READ_ANEW


def first_uri(catalogue: Catalogue, part: int) -> str:
    """A URI that none in a part comes before, as its file tells; empty where it does not."""
    path = catalogue.path(part)
    with catalogue.storage.open(path) as stream, naming(catalogue.storage, path, READ_ANEW):
        metadata = pq.ParquetFile(stream).metadata
        groups = [metadata.row_group(group).column(0) for group in range(metadata.num_row_groups)]
        told = [group.statistics.min for group in groups if group.is_stats_set and group.statistics.has_min_max]
    return min(told) if told and len(told) == len(groups) else ""


def in_order(parts: Sequence[tuple[str, int]], read: Callable[[int], pa.Table]) -> Iterator[pa.Table]:
    """The rows of parts, each of which is in order itself; the parts come with their first URIs, smallest first.

    In memory are the parts whose URIs overlap.
    """
    waiting: pa.Table | None = None
    for i, (_, part) in enumerate(parts):
        table = read(part)
        if waiting is not None and len(waiting):
            table = pa.concat_tables([waiting, table]).sort_by("uri")
        if i + 1 == len(parts):
            yield table
            return
        ready = pc.sum(pc.less(table["uri"], parts[i + 1][0])).as_py() or 0
        waiting = table.slice(ready)
        yield table.slice(0, ready)


def pieces(tables: Iterable[pa.Table], sizes: Iterable[int]) -> Iterator[pa.Table]:
    """Rows that come in tables of any size, in pieces of these sizes."""
    coming = iter(tables)
    at_hand: list[pa.Table] = []
    for size in sizes:
        while sum(map(len, at_hand)) < size:
            at_hand.append(next(coming))
        table = pa.concat_tables(at_hand)
        yield table.slice(0, size).combine_chunks()
        at_hand = [table.slice(size)]
