"""A plan made from all images of an index in memory: with near-duplicates, and where another plan is the beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.infra.storage import Storage
from sluice.preprocess.planning.catalogue import Catalogue
from sluice.preprocess.planning.index import Image
from sluice.preprocess.planning.near_duplicates import near_duplicates
from sluice.preprocess.planning.plan import Draft, Layout, Plan, lay_out
from sluice.preprocess.planning.removed import Removed
from sluice.preprocess.planning.rows import read_drafts
from sluice.preprocess.planning.rule import grow

Stored = tuple[Plan, dict[str, Any]]


def grow_in_memory(
    place: Storage,
    prefix: str,
    catalogue: Catalogue,
    removed: Removed,
    facts: Mapping[str, Any],
    own: Stored | None,
    others: Sequence[Stored],
    near_bits: int | None,
    retry: bool,
) -> Layout:
    """The plan after the index changed, some 2 kB of memory an image.

    `others` are plans to start from where there is none of one's `own`. A `retry` is about the images that one's own
    has or could not read, and no others.
    """
    images = [image for image in catalogue.all_images() if image.key not in removed]
    drafts: Sequence[Draft | None] = read_drafts(place, prefix, *own) if own else []
    if retry and own:
        images = _known(images, drafts, own[1])
    readable = [image for image in images if image.key]
    if not own:
        drafts = _beginning(place, prefix, readable, others)
    near = _near(readable, drafts, near_bits) if near_bits else {}
    grown = grow(drafts, readable, facts["shard_size"], near)
    unreadable = [{"uri": i.uri, "reason": i.error} for i in images if i.error]
    counts = {
        "images": len(readable) + len(unreadable),
        "duplicates": len(readable) - sum(draft.records for draft in grown if draft),
        "unreadable": unreadable,
    }
    return lay_out(grown, {**facts, **counts})


def _beginning(
    place: Storage, prefix: str, images: Sequence[Image], others: Sequence[Stored]
) -> Sequence[Draft | None]:
    """The shards of the plan that has the most of the same images.

    So a source that moved, or is written in another way, or whose duplicates are now told by their looks, keeps its
    shards. One most of whose images are others is no beginning.
    """
    there = {(image.uri, image.key) for image in images}
    best: Sequence[Draft | None] = []
    most = 0
    for plan, stored in others:
        drafts = read_drafts(place, prefix, plan, stored)
        rows = [(row.uri, row.key) for draft in drafts if draft for row in draft.rows]
        shared = len(there.intersection(rows))
        if shared > most and 2 * shared > len(rows):
            best, most = drafts, shared
    return best


def _known(images: Sequence[Image], drafts: Sequence[Draft | None], stored: Mapping[str, Any]) -> list[Image]:
    """The images that a plan has or could not read."""
    rows = [row for draft in drafts if draft for row in draft.rows]
    known = {uri for row in rows for uri in (row.uri, *row.duplicates)} | {e["uri"] for e in stored["unreadable"]}
    return [image for image in images if image.uri in known]


def _near(images: Sequence[Image], drafts: Sequence[Draft | None], bits: int) -> dict[str, str]:
    """Near-duplicates of what is planned already, then of the smallest URI, so that old shards keep their rows."""
    planned = {row.uri for draft in drafts if draft for row in draft.rows}
    ordered = sorted(images, key=lambda image: (image.uri not in planned, image.uri))
    return near_duplicates([(image.uri, image.look) for image in ordered], bits)
