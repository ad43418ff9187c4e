"""Who works beside garbage collection: told by files that are younger than a grace period."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.flows.operate.making import LISTERS, merging, stage_prefixes
from sluice.flows.operate.stored import DataSet
from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage

FILE = re.compile(r"(?P<shard>[0-9a-f]{16})(?:-[0-9a-f]{16})?\.(?P<suffix>json|tar|parquet)")
"""Of a unit: its commit, its tar, its sidecar."""


@dataclass(frozen=True)
class Activity:
    """What happened `since`: when each stage's outputs were last `used`, data sets `at_work`, and their shards.

    A data set is at work while there are young outputs on its shards that no version names, or a version in the making.
    The build behind them may be about to name any output of its shards, so all of these are left alone.
    """

    since: float
    used: Mapping[str, float]
    at_work: frozenset[str]
    shards: frozenset[str]


@dataclass(frozen=True)
class _Young:
    used: float
    unnamed: frozenset[str]


def shard_of(name: str) -> str | None:
    """The shard that a file under a stage's fingerprint is of; None for roll-ups, claims and strangers."""
    if name.startswith("chunks/"):
        return name.split("/")[1]
    found = FILE.fullmatch(name)
    return found["shard"] if found else None


def activity(place: Storage, found: Sequence[DataSet], since: float) -> Activity:
    """By one listing of the stages' outputs."""
    prefixes = stage_prefixes(place)
    named = {prefix: _named(found, prefix) for prefix in prefixes}
    young = list(in_threads(lambda prefix: _young(place, prefix, *named[prefix], since), prefixes, LISTERS))
    unnamed = frozenset().union(*(own.unnamed for own in young))
    planned = {data.name: {shard.id for plan in data.plans for shard in plan.shards} for data in found}
    at_work = {data.name for data in found if planned[data.name] & unnamed or _is_merged(place, data, since)}
    return Activity(
        since,
        dict(zip(prefixes, (own.used for own in young), strict=True)),
        frozenset(at_work),
        frozenset().union(*(planned[name] for name in at_work)),
    )


def _named(found: Sequence[DataSet], prefix: str) -> tuple[frozenset[str], float]:
    """The shards whose output there a version names, and when the newest such version was made."""
    versions = [stored for data in found for stored in data.versions if prefix in stored.outputs]
    shards = frozenset().union(*(stored.shards for stored in versions))
    return shards, max((stored.made for stored in versions), default=0.0)


def _young(place: Storage, prefix: str, named: frozenset[str], made: float, since: float) -> _Young:
    used, unnamed = 0.0, set()
    for entry in place.list(f"{prefix}/"):
        used = max(used, entry.modified)
        if entry.modified > since:
            shard = shard_of(entry.path[len(prefix) + 1 :])
            if shard and (shard not in named or entry.modified > made):
                unnamed.add(shard)
    return _Young(used, frozenset(unnamed))


def _is_merged(place: Storage, data: DataSet, since: float) -> bool:
    return any(version.written > since for version in merging(place, data))
