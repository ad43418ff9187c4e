"""What becomes of old shards after the index changed, with no more of them in memory than what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.preprocess.planning.by_columns.before import Before, Kept
from sluice.preprocess.planning.by_columns.survey import View
from sluice.preprocess.planning.catalogue import IMAGE
from sluice.preprocess.planning.columns import keys_of
from sluice.preprocess.planning.index import Image
from sluice.preprocess.planning.plan import ROW, Draft, Planned
from sluice.preprocess.planning.rule import keep

LISTED = pa.schema([("uri", pa.string()), ("owner", pa.int64())])


@dataclass(frozen=True)
class Changed:
    """What changed: items that were read again, their images by URI, and the images that have the keys of lost ones."""

    items: frozenset[str]
    images: Mapping[str, Image]
    others: Mapping[str, Sequence[Image]]
    view: View

    def revise(self, old: Kept) -> Draft | None:
        """A shard as the index has it now; rows of other items are as they were, unless they were removed."""
        draft = old.draft()
        same = {
            row.uri: Image(row.uri, row.item, "", row.locator, draft.container, 0, row.key, row.side, "", "")
            for row in draft.rows
            if row.item not in self.items and row.key not in self.view.removed
        }
        return keep(draft, {**same, **self.images}, self.others)


@dataclass(frozen=True)
class Revised:
    """A shard that lost or changed rows, which are made again when asked for."""

    changed: Changed
    old: Kept
    id: str
    records: int

    @property
    def container(self) -> str:
        return self.old.container

    def table(self) -> pa.Table:
        draft = self.changed.revise(self.old)
        return draft.table() if draft else ROW.empty_table()


@dataclass
class Touched:
    """Old rows that a change may touch: (URI, key) of rows of changed items by the ordinal of their shard, all URIs
    that are listed as duplicates, each with such an ordinal, and the shards that hold removed keys."""

    rows: dict[int, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    listed: pa.Table = field(default_factory=LISTED.empty_table)
    cut: set[int] = field(default_factory=set)

    @property
    def uris(self) -> set[str]:
        """Those of the rows of changed items, and of all duplicates."""
        return {uri for rows in self.rows.values() for uri, _ in rows}.union(self.listed["uri"].to_pylist())


def changed_items(view: View, before: frozenset[int]) -> frozenset[str]:
    """The items that parts of before and later ones tell of."""
    again = view.catalogue.again.items()
    return frozenset(item for item, parts in again if before.intersection(parts) and not before.issuperset(parts))


def find_touched(before: Before, items: frozenset[str], view: View, removals: bool) -> Touched:
    """Look through the rows of a plan; for removed keys only where there are `removals` to look for."""
    touched = Touched()
    asked = ["duplicates", *(["key", "uri", "item"] if items else ["key"] if removals else [])]
    wanted = pa.array(sorted(items), pa.string())
    listed = [touched.listed]
    for file, shards in before.files():
        table = before.columns(file, asked)
        owners = np.repeat([shard.ordinal for shard in shards], [shard.records for shard in shards])
        duplicates = table["duplicates"].combine_chunks()
        columns = [pc.list_flatten(duplicates), owners[pc.list_parent_indices(duplicates)]]
        listed.append(pa.table(columns, schema=LISTED))
        if items:
            there = np.flatnonzero(pc.is_in(table["item"].cast(pa.string()), wanted))
            own = table.select(["uri", "key"]).take(there).to_pylist()
            for row, owner in zip(own, owners[there].tolist(), strict=True):
                touched.rows[owner].append((row["uri"], row["key"]))
        if removals:
            keys = zip(table["key"].to_pylist(), owners.tolist(), strict=True)
            touched.cut.update(owner for key, owner in keys if key in view.removed)
    touched.listed = pa.concat_tables(listed)
    return touched


def find_changed(view: View, items: frozenset[str], touched: Touched) -> Changed:
    """What parts that came after a plan say of changed items and its duplicates, and who has the keys of lost rows."""
    wanted, listed = pa.array(sorted(items), pa.string()), touched.listed["uri"].combine_chunks()
    images = {}
    for part in sorted(view.after) if items or len(listed) else ():
        _, table = view.readable(part, IMAGE)
        chosen = pc.or_(pc.is_in(table["item"].cast(pa.string()), wanted), pc.is_in(table["uri"], listed))
        images.update({row["uri"]: Image(**row) for row in table.filter(chosen).to_pylist()})
    lost = {key for rows in touched.rows.values() for uri, key in rows if uri not in images or images[uri].key != key}
    others: dict[str, list[Image]] = defaultdict(list)
    for image in view.find(np.sort(keys_of(pa.array(sorted(lost), pa.string())))) if lost else ():
        others[image.key].append(image)
    for same in others.values():
        same.sort(key=lambda image: image.uri)
    return Changed(items, images, others, view)


def revise(before: Before, touched: Touched, changed: Changed) -> list[Planned | None]:
    """The shards of before in their places: None where all rows left."""
    listing = pc.is_in(touched.listed["uri"], pa.array(list(changed.images), pa.string()))
    asked = touched.cut.union(touched.rows, touched.listed["owner"].filter(listing).to_pylist())
    places: list[Planned | None] = [None] * before.stored["places"]
    for shard in before.plan.shards:
        places[shard.ordinal] = kept = Kept(before, shard)
        if shard.ordinal in asked:
            draft = changed.revise(kept)
            places[shard.ordinal] = Revised(changed, kept, draft.id, draft.records) if draft else None
    return places
