"""Plans without removed keys: a shard that loses rows becomes the shard of those that are left, in the same place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.preprocess.planning.index import read_index
from sluice.preprocess.planning.plan import (
    Draft,
    Row,
    Shard,
    lay_out,
    read_drafts,
    read_plans,
    read_rows,
    shard_id,
    store_plan,
    store_rows,
)
from sluice.preprocess.planning.removed import Removed

NO_FACTS = {"images": 0, "duplicates": 0, "unreadable": []}


@dataclass(frozen=True)
class Cut:
    """What becomes of a shard `old` that loses `keys`: the shard `new` of the `left` rows; no name where none is."""

    old: str
    keys: frozenset[str]
    new: str
    left: int


def cut_rows(rows: Sequence[Row], removed: Removed) -> Cut:
    """The cut of a shard of these rows."""
    left = [row for row in rows if row.key not in removed]
    keys = frozenset(row.key for row in rows if row.key in removed)
    return Cut(shard_id(rows), keys, shard_id(left) if left else "", len(left))


def find_cuts(storage: Storage, dataset: str, removed: Removed) -> dict[str, Cut]:
    """The cuts of all shards, of today's plans and of earlier ones, that hold removed keys, by the shards' ids."""
    places = ((file, group) for file in row_files(storage, dataset) for group in _groups(storage, file, removed))
    cuts = [cut_rows(_rows(storage, file, group), removed) for file, group in places]
    return {cut.old: cut for cut in cuts}


def row_files(storage: Storage, dataset: str) -> list[str]:
    """The files that list the rows of a data set's shards."""
    return [entry.path for entry in storage.list(f"datasets/{dataset}/plan/rows-")]


def _groups(storage: Storage, file: str, removed: Removed) -> Iterator[int]:
    """The row groups, a shard each, that hold removed keys."""
    with storage.open(file) as stream:
        parquet = pq.ParquetFile(stream)
        for group in range(parquet.num_row_groups):
            if any(key in removed for key in parquet.read_row_group(group, ["key"])["key"].to_pylist()):
                yield group


def _rows(storage: Storage, file: str, group: int) -> list[Row]:
    prefix, _, name = file.rpartition("/")
    return read_rows(storage, prefix, Shard(-1, "", "", 0, name, group))


def copies(storage: Storage, dataset: str, removed: Removed) -> Counter[str]:
    """How many images of the data set's indexes have each removed key; the most, where there are several indexes."""
    most: Counter[str] = Counter()
    for index in {stored["index"] for _, stored in read_plans(storage, f"datasets/{dataset}/plan").values()}:
        most |= Counter(image.key for image in read_index(storage, index) if image.key in removed)
    return most


def cut_plans(storage: Storage, dataset: str, removed: Removed, known: Counter[str]) -> None:
    """Store today's plans of a data set without removed rows; `known` are the images of each removed key."""
    prefix = f"datasets/{dataset}/plan"
    for plan, stored in read_plans(storage, prefix).values():
        drafts = read_drafts(storage, prefix, plan, stored)
        kept = [_cut(draft, removed) for draft in drafts]
        rows = [row.key for draft in drafts if draft for row in draft.rows if row.key in removed]
        if rows:
            further = sum(max(known[key] - 1, 0) for key in rows)
            counts = {
                "images": stored["images"] - len(rows) - further,
                "duplicates": stored["duplicates"] - further,
            }
            facts = {name: value for name, value in stored.items() if name not in ("places", "shards")}
            store_plan(storage, prefix, lay_out(kept, facts | counts))


def _cut(draft: Draft | None, removed: Removed) -> Draft | None:
    rows = tuple(row for row in draft.rows if row.key not in removed) if draft else ()
    return replace(draft, rows=rows) if draft and rows else None


def cut_row_files(storage: Storage, dataset: str, removed: Removed) -> list[str]:
    """Store the rows of earlier plans too without removed ones, and answer which files are to go."""
    old = []
    for file in row_files(storage, dataset):
        if next(_groups(storage, file, removed), None) is None:
            continue
        with storage.open(file) as stream:
            groups = pq.ParquetFile(stream).num_row_groups
        drafts = [_cut(Draft("", tuple(_rows(storage, file, group))), removed) for group in range(groups)]
        store_rows(storage, f"datasets/{dataset}/plan", lay_out(drafts, NO_FACTS))
        old.append(file)
    return old
