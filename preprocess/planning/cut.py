"""Plans without removed keys: a shard that loses rows becomes the shard of those that are left, in the same place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.infra.tables import naming
from sluice.preprocess.planning.catalogue import read_catalogue
from sluice.preprocess.planning.columns import keys_of
from sluice.preprocess.planning.plan import Draft, Plan, Row, Shard, lay_out, read_plans, shard_id, store_rows
from sluice.preprocess.planning.rows import PLAN_ANEW, read_file, read_rows

NO_FACTS = {"images": 0, "duplicates": 0, "unreadable": []}


@dataclass(frozen=True)
class Cut:
    """What becomes of a shard `old` that loses `keys`: the shard `new` of the `left` rows; no name where none is."""

    old: str
    keys: frozenset[str]
    new: str
    left: int


def cut_rows(rows: Sequence[Row], gone: Collection[str]) -> Cut:
    """The cut of a shard of these rows."""
    left = [row for row in rows if row.key not in gone]
    keys = frozenset(row.key for row in rows if row.key in gone)
    return Cut(shard_id(rows), keys, shard_id(left) if left else "", len(left))


def find_cuts(storage: Storage, dataset: str, gone: Collection[str]) -> dict[str, Cut]:
    """The cuts of all shards, of today's plans and of earlier ones, that hold removed keys, by the shards' ids."""
    files = row_files(storage, dataset)
    cuts = [cut_rows(rows, gone) for file in files for rows in _holding(storage, file, gone)]
    return {cut.old: cut for cut in cuts}


def row_files(storage: Storage, dataset: str) -> list[str]:
    """The files that list the rows of a data set's shards."""
    return [entry.path for entry in storage.list(f"datasets/{dataset}/plan/rows-")]


def _holding(storage: Storage, file: str, gone: Collection[str]) -> Iterator[list[Row]]:
    """The rows of the shards in a file that hold removed keys."""
    prefix, _, name = file.rpartition("/")
    for group in _groups(storage, file, gone):
        yield read_rows(storage, prefix, Shard(-1, "", "", 0, name, group))


def _groups(storage: Storage, file: str, gone: Collection[str]) -> Iterator[int]:
    """The row groups, a shard each, that hold removed keys."""
    wanted = pa.array(sorted(gone), pa.string())
    with storage.open(file) as stream, naming(storage, file, PLAN_ANEW):
        parquet = pq.ParquetFile(stream)
        for group in range(parquet.num_row_groups):
            if pc.any(pc.is_in(parquet.read_row_group(group, ["key"])["key"], wanted)).as_py():
                yield group


def copies(storage: Storage, dataset: str, gone: Collection[str]) -> Counter[str]:
    """How many images of the data set's indexes have each removed key; the most, where there are several indexes."""
    most: Counter[str] = Counter()
    wanted = keys_of(pa.array(sorted(gone), pa.string()))
    for index in {stored["index"] for _, stored in read_plans(storage, f"datasets/{dataset}/plan").values()}:
        most |= Counter(image.key for _, image in read_catalogue(storage, index).find(wanted))
    return most


def cut_plans(storage: Storage, dataset: str, cuts: Mapping[str, Cut], images: Counter[str]) -> None:
    """Store today's plans of a data set with the cuts of its shards; `images` are the images of each removed key.

    Which plan is newest is told by when it was written: those that are newer than a changed one are written anew too.
    """
    prefix = f"datasets/{dataset}/plan"
    written = {entry.path.rpartition("/")[2]: entry.modified for entry in storage.list(f"{prefix}/plan-")}
    plans, changed = read_plans(storage, prefix), False
    for name in sorted(plans, key=lambda name: written.get(name, 0)):
        plan, stored = plans[name]
        lost = [key for shard in plan.shards if shard.id in cuts for key in cuts[shard.id].keys]
        changed = changed or bool(lost)
        if changed:
            said = _cut_plan(storage, prefix, plan, stored, cuts, lost, images) if lost else {}
            storage.write(f"{prefix}/{name}", json.dumps({**stored, **said}).encode())


def _cut_plan(
    storage: Storage,
    prefix: str,
    plan: Plan,
    stored: Mapping[str, Any],
    cuts: Mapping[str, Cut],
    lost: Sequence[str],
    images: Counter[str],
) -> dict[str, Any]:
    """What the file of a plan says otherwise without its lost keys; the rows of what is left are stored."""
    further = sum(max(images[key] - 1, 0) for key in lost)
    files = groupby(plan.shards, key=lambda shard: shard.file)
    shards = [new for file, of_file in files for new in _cut_file(storage, prefix, file, list(of_file), cuts)]
    return {
        "images": stored["images"] - len(lost) - further,
        "duplicates": stored["duplicates"] - further,
        "shards": [[s.ordinal, s.id, s.container, s.records, s.file, s.group] for s in shards],
    }


def _cut_file(
    storage: Storage, prefix: str, file: str, shards: Sequence[Shard], cuts: Mapping[str, Cut]
) -> Sequence[Shard]:
    """The shards of one file of rows, cut; what is left of them goes to a file of its own."""
    if not any(shard.id in cuts for shard in shards):
        return shards
    rows = read_file(storage, prefix, file)
    drafts = [_cut(rows[shard.group], cuts.get(shard.id), shard.container) for shard in shards]
    layout = lay_out(drafts, NO_FACTS)
    store_rows(storage, prefix, layout)
    left = [shard for shard, draft in zip(shards, drafts, strict=True) if draft]
    return [replace(new, ordinal=old.ordinal) for old, new in zip(left, layout.plan.shards, strict=True)]


def _cut(rows: Sequence[Row], cut: Cut | None, container: str = "") -> Draft | None:
    left = tuple(row for row in rows if cut is None or row.key not in cut.keys)
    return Draft(container, left) if left else None


def cut_row_files(storage: Storage, dataset: str, gone: Collection[str]) -> list[str]:
    """Store the rows of earlier plans too without removed ones, and answer which files are to go."""
    prefix, old = f"datasets/{dataset}/plan", []
    for file in row_files(storage, dataset):
        if next(_groups(storage, file, gone), None) is not None:
            rows = read_file(storage, prefix, file.rpartition("/")[2])
            store_rows(storage, prefix, lay_out([_cut(own, cut_rows(own, gone)) for own in rows], NO_FACTS))
            old.append(file)
    return old
