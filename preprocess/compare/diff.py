"""What differs between two versions of a data set: records, fields, why, and how distributions drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.preprocess.compare.drift import Columns, Drift, join_columns, measure_drift, shard_columns
from sluice.preprocess.compare.explain import Knob, StageChange, differences, stage_changes
from sluice.preprocess.compare.record_diff import Changes, Side, open_diff, open_side
from sluice.preprocess.version.manifest import Version

# Shards are named by digests, so the first of them by name are a fair sample; equal shards of both versions are in it.
SAMPLED_SHARDS = 1000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Diff:
    """From version `a` to version `b`.

    `added` and `removed` map keys to why, `changed` to the fields that changed; `causes` counts the changes that each
    cause explains, once for a record and stage. Of `b`'s `shards`, `same_shards` are in `a` with equal digests.
    """

    a: str
    b: str
    records: tuple[int, int]
    shards: int
    same_shards: int
    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, list[str]]
    causes: dict[str, int]
    new_fields: list[str]
    lost_fields: list[str]
    stages: list[StageChange]
    source: list[Knob]
    drift: list[Drift]

    @property
    def same(self) -> bool:
        """Whether a reader of the records would see no difference."""
        return not (self.added or self.removed or self.changed or self.new_fields or self.lost_fields)

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
        return {**asdict(self), "same": self.same}


def diff(
    storage: Storage, a: Version, b: Version, workers: int | None = None, progress: Progress | None = None
) -> Diff:
    """Compare two versions in one storage.

    Shards of equal digests are not read; of others, only the tars that differ are, as streams. Rows of shards that
    only one of the versions has are held in memory. Drift is measured on at most 1,000 shards of each version.
    Raises ShardError where a version is damaged.
    """
    before, after = open_side(storage, a), open_side(storage, b)
    changes = stage_changes(a.manifest, b.manifest)
    records = open_diff(storage, before, after, {change.stage: str(change) for change in changes}, workers)
    meetings = records.meetings()
    found = Changes()
    for done, part in enumerate(in_threads(records.compare, meetings, workers), start=1):
        found.add(part)
        if progress is not None:
            progress(done, len(meetings))
    fields = before.owner.keys(), after.owner.keys()
    return Diff(
        a=a.id,
        b=b.id,
        records=(a.manifest["counts"]["records"], b.manifest["counts"]["records"]),
        shards=len(after.shards),
        same_shards=sum(after.has_same(before, shard) for shard in after.shards),
        added=dict(sorted(records.added())),
        removed=dict(sorted(records.removed())),
        changed=dict(sorted(found.fields.items())),
        causes=dict(found.causes.most_common()),
        new_fields=sorted(fields[1] - fields[0]),
        lost_fields=sorted(fields[0] - fields[1]),
        stages=changes,
        source=differences(a.manifest["source"], b.manifest["source"]),
        drift=_drift(storage, before, after, workers),
    )


def _drift(storage: Storage, a: Side, b: Side, workers: int | None) -> list[Drift]:
    def columns(side: Side, known: Mapping[str, Columns]) -> dict[str, Columns]:
        sample = sorted(side.shards)[:SAMPLED_SHARDS]
        unread = [shard for shard in sample if shard not in known]
        read = in_threads(lambda s: shard_columns(storage, side.outputs(s), side.left_out(s)), unread, workers)
        return {**{s: known[s] for s in sample if s in known}, **dict(zip(unread, read, strict=True))}

    first = columns(a, {})
    second = columns(b, {shard: read for shard, read in first.items() if a.has_same(b, shard)})
    return measure_drift(join_columns(list(first.values())), join_columns(list(second.values())))
