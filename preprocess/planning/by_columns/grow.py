"""A plan that grows by columns: of what did not change nothing but keys is held (docs/scale.md has the figures).

What comes of it is what `grow` makes of all images in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sluice.preprocess.planning.by_columns.arrange import New, arrange
from sluice.preprocess.planning.by_columns.before import Before
from sluice.preprocess.planning.by_columns.duplicates import choose
from sluice.preprocess.planning.by_columns.revise import changed_items, find_changed, find_touched, revise
from sluice.preprocess.planning.by_columns.survey import View, survey
from sluice.preprocess.planning.catalogue import Catalogue
from sluice.preprocess.planning.plan import Layout, Planned, lay_out
from sluice.preprocess.planning.removed import Removed


def grow_by_columns(
    catalogue: Catalogue,
    removed: Removed,
    facts: Mapping[str, Any],
    before: Before | None,
    retry: bool,
) -> Layout:
    """The plan after the index changed. A `retry` is about the images that the plan before has or could not read."""
    every = frozenset(range(len(catalogue.parts)))
    told = before.stored["made_of"] if before else {"parts": [], "removed": None}
    names = set(told["parts"])
    old = frozenset(place for place in every if catalogue.parts[place] in names)
    removals = before is not None and told["removed"] != removed.digest
    view = View(catalogue, removed, every - old)
    shards: list[Planned | None] = []
    if before:
        items = changed_items(view, old)
        touched = find_touched(before, items, view, removals)
        if retry:
            unread = {entry["uri"] for entry in before.stored["unreadable"]}
            view = replace(view, known=frozenset(touched.uris | unread))
        shards = revise(before, touched, find_changed(view, items, touched))
    if removals and not retry:  # images may be back whose tombstone is no more
        view = replace(view, after=every)
    new, readable, unreadable = _new(view, before)
    shards += arrange(new, facts["shard_size"])
    counts = {
        "images": readable + len(unreadable),
        "duplicates": readable - sum(shard.records for shard in shards if shard),
        "unreadable": unreadable,
    }
    return lay_out(shards, {**facts, **counts})


def _new(view: View, before: Before | None) -> tuple[New, int, list[dict[str, str]]]:
    """The images that no shard has, how many are readable in all, and those that are not. The keys are let go of."""
    found = survey(view)
    planned = before.keys() if before and len(found.keys) else np.zeros(0, np.uint64)
    chosen = choose(view.catalogue, found, planned)
    return New(view.catalogue, *chosen, found.holding, found.containers), found.readable, found.unreadable
