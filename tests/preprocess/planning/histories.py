"""An index that grows by chance, and the plans that the rule makes of all its images in memory."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow.parquet as pq

from sluice.infra.storage import Storage
from sluice.preprocess.planning.catalogue import read_catalogue
from sluice.preprocess.planning.index import GONE, Image, encode, key_of, nothing, row_digest
from sluice.preprocess.planning.layout import make_layout
from sluice.preprocess.planning.plan import Draft, Layout, lay_out, store_plan
from sluice.preprocess.planning.removed import Removed, removed_keys
from sluice.preprocess.planning.rule import grow

INDEX, PREFIX = "index/some", "datasets/some/plan"
SIZE = 4
IDENTITY = {"index": INDEX, "shard_size": SIZE}
PICTURES = 30
"""So few that many images are equal."""


@dataclass
class History:
    """An index that grows, and the plans that the rule makes of it."""

    place: Storage
    random: random.Random
    parts: int = 0
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    buried: set[str] = field(default_factory=set)
    drafts: list[Draft | None] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    planned_parts: int = 0

    def image(self, item: str, number: int, container: str) -> dict[str, Any]:
        uri = item if item.endswith("jpg") else f"{item}#{number}"
        row = nothing(item, "1") | {"uri": uri, "container": container, "locator": str(self.random.random())}
        if self.random.random() < 0.1:
            return row | {"error": "it is damaged"}
        key = key_of(str(self.random.randrange(PICTURES)).encode())
        side = str(self.random.randrange(3))
        return row | {"key": key, "side": side, "size": 1, "row": row_digest(key, uri, side)}

    def rows(self, item: str) -> list[dict[str, Any]]:
        """What an item holds: a picture of a folder; or a tar's, whose containers may be several; or nothing."""
        if item.endswith("jpg"):
            return [self.image(item, 0, "")]
        count = self.random.randrange(8)
        return [self.image(item, i, f"{item}:{i // 5}") for i in range(count)] or [nothing(item, "1")]

    def write(self, items: list[str], gone: bool = False) -> None:
        """A part of the index about some items, as they are now."""
        told = {item: [nothing(item, GONE)] if gone else self.rows(item) for item in items}
        self.items |= told
        self.parts += 1
        data = encode([row for rows in told.values() for row in rows])
        self.place.write(f"{INDEX}/part-{self.parts:020d}.parquet", data)

    def some(self, share: float) -> list[str]:
        return [item for item in self.items if self.random.random() < share]

    def step(self) -> None:
        """Something happens to the source, or records are removed."""
        match self.random.randrange(8):
            case 0 | 1:
                self.write([f"{self.random.randrange(1000):03}.jpg" for _ in range(self.random.randrange(12))])
            case 2 | 3:
                self.write([f"{self.random.randrange(1000):03}.tar"])
            case 4:
                self.write(self.some(0.2))
            case 5:
                self.write(self.some(0.2), gone=True)
            case 6:
                self.buried.add(key_of(str(self.random.randrange(PICTURES)).encode()))
            case 7:
                pass

    def images(self, retry: bool) -> list[Image]:
        """All that holds, one item after the other. Of parts that no plan saw, a retry wants what the plan knows."""
        rows = [row for draft in self.drafts if draft for row in draft.rows]
        known = {uri for row in rows for uri in (row.uri, *row.duplicates)} | {e["uri"] for e in self.unreadable}
        latest: dict[str, list[Image]] = {}
        for part, entry in enumerate(self.place.list(f"{INDEX}/")):
            found: dict[str, list[Image]] = {}
            for row in pq.read_table(io.BytesIO(self.place.read(entry.path))).to_pylist():
                found.setdefault(row["item"], []).append(Image(**{n: v for n, v in row.items() if n != "row"}))
            if retry and part >= self.planned_parts:
                found = {item: [i for i in images if i.uri in known] for item, images in found.items()}
            latest.update(found)
        every = (image for images in latest.values() for image in images if image.stamp != GONE)
        return sorted((i for i in every if i.key not in self.removed), key=lambda image: image.uri)

    @property
    def removed(self) -> Removed:
        return removed_keys(self.buried)

    def by_rule(self, retry: bool) -> Layout:
        """The next plan, all images in memory."""
        images = self.images(retry)
        if not retry:
            self.planned_parts = self.parts
        readable = [image for image in images if image.key]
        self.drafts = grow(self.drafts, readable, SIZE, {})
        self.unreadable = [{"uri": i.uri, "reason": i.error} for i in images if i.error]
        records = sum(len(draft.rows) for draft in self.drafts if draft)
        counts = {"images": len(readable) + len(self.unreadable), "duplicates": len(readable) - records}
        return lay_out(self.drafts, {**IDENTITY, **counts, "unreadable": self.unreadable})

    def made(self, retry: bool = False, near_bits: int | None = None) -> Layout:
        """The next plan as a build makes it, and stored as there."""
        catalogue = read_catalogue(self.place, INDEX)
        layout = make_layout(self.place, PREFIX, catalogue, self.removed, IDENTITY, near_bits, retry)
        store_plan(self.place, PREFIX, replace(layout, rows=dict(layout.rows)))
        return layout
