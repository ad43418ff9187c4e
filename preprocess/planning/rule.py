"""How a plan grows: the rule itself, in memory, and what `by_columns` shares of it where an index is too large."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from sluice.preprocess.planning.index import Image
from sluice.preprocess.planning.plan import Draft, Row


def _row(image: Image, duplicates: Sequence[str] = ()) -> Row:
    return Row(image.key, image.uri, image.item, image.locator, image.side, tuple(duplicates))


def keep(draft: Draft, by_uri: Mapping[str, Image], by_key: Mapping[str, Sequence[Image]]) -> Draft | None:
    """An old shard as the index has it now: rows whose image is gone move to a duplicate or leave."""
    rows = []
    for row in draft.rows:
        image = by_uri.get(row.uri)
        if image is None or image.key != row.key:
            image = by_key[row.key][0] if by_key.get(row.key) else None
        if image is not None:
            same = (uri for uri in row.duplicates if uri != image.uri)
            alike = tuple(uri for uri in same if uri not in by_uri or by_uri[uri].key == row.key)
            rows.append(replace(_row(image), duplicates=alike))
    return Draft(draft.container, tuple(rows)) if rows else None


def bounds(rows: int, size: int) -> list[tuple[int, int]]:
    """Where so many rows are cut into the fewest pieces of at most `size`, nearly equal."""
    pieces = math.ceil(rows / size)
    return list(pairwise(rows * i // pieces for i in range(pieces + 1)))


def _cut(rows: Sequence[Row], size: int) -> list[tuple[Row, ...]]:
    """Rows cut into pieces, each sorted by key."""
    return [tuple(sorted(rows[a:b], key=lambda r: r.key)) for a, b in bounds(len(rows), size)]


def grow(
    old: Sequence[Draft | None], images: Sequence[Image], shard_size: int, near: Mapping[str, str]
) -> list[Draft | None]:
    """The shards after the index changed: old ones in their places (None where all rows left), new ones behind.

    `images` are the readable images of the index; equal keys are duplicates, of which the planned one stays, else the
    smallest URI wins. `near` maps the URI of a near-duplicate to that of the image it looks like.
    """
    chosen = [image for image in sorted(images, key=lambda i: i.uri) if image.uri not in near]
    by_uri = {image.uri: image for image in chosen}
    by_key: dict[str, list[Image]] = defaultdict(list)
    for image in chosen:
        by_key[image.key].append(image)
    alike: dict[str, list[str]] = defaultdict(list)
    for uri, first in sorted(near.items()):
        alike[first].append(uri)
    kept = [keep(draft, by_uri, by_key) if draft else None for draft in old]
    planned = {row.key for draft in kept if draft for row in draft.rows}
    containers: dict[str, list[Row]] = defaultdict(list)
    for key, same in by_key.items():
        if key not in planned:
            duplicates = [i.uri for i in same[1:]] + [uri for i in same for uri in alike[i.uri]]
            containers[same[0].container].append(_row(same[0], duplicates))
    new = [
        Draft(container, piece)
        for container, rows in sorted(containers.items())
        for piece in _cut(sorted(rows, key=lambda r: r.uri), shard_size)
    ]
    return kept + new
