"""The plan of an index as it is now: the one of before where nothing changed, else that one grown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.infra.storage import Storage
from sluice.preprocess.planning.by_columns.before import Before
from sluice.preprocess.planning.by_columns.grow import grow_by_columns
from sluice.preprocess.planning.catalogue import Catalogue
from sluice.preprocess.planning.in_memory import grow_in_memory
from sluice.preprocess.planning.plan import Layout, plan_file, read_plans
from sluice.preprocess.planning.removed import Removed


def make_layout(
    place: Storage,
    prefix: str,
    catalogue: Catalogue,
    removed: Removed,
    identity: Mapping[str, Any],
    near_bits: int | None,
    retry: bool,
) -> Layout:
    """A plan that is not stored yet. A `retry` is about the images that the plan before has or could not read.

    A plan says what it was `made_of`: the parts of the index, the tombstones, and how near duplicates are told. Where
    these are the same it stands, as growing it again would change nothing.
    """
    plans = read_plans(place, prefix)
    own = plans.pop(plan_file(identity), None)
    others = [other for other in plans.values() if other[1]["shard_size"] == identity["shard_size"]]
    made_of = {"parts": list(catalogue.parts), "removed": removed.digest, "near": near_bits}
    before = own[1].get("made_of") if own else None
    if own and before == made_of:
        return Layout(*own, {})
    facts = {**identity, "made_of": before if own and retry else made_of}
    if near_bits or (not _is_beginning(before, catalogue) if own else others):
        return grow_in_memory(place, prefix, catalogue, removed, facts, own, others, near_bits, retry)
    return grow_by_columns(catalogue, removed, facts, Before(place, prefix, *own) if own else None, retry)


def _is_beginning(made_of: Mapping[str, Any] | None, catalogue: Catalogue) -> bool:
    """Whether an index has only grown since a plan was made."""
    return made_of is not None and made_of["near"] is None and set(made_of["parts"]) <= set(catalogue.parts)
