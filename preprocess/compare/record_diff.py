"""Which records two versions do not share, and which fields of the shared ones differ: by tars' digests first."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.preprocess.planning.plan import Row, Shard
from sluice.preprocess.shards import ShardError
from sluice.preprocess.version.manifest import Version, table_rows
from sluice.preprocess.version.reading import (
    StageOutput,
    find_rows,
    planned_rows,
    shard_outputs,
    stream_output,
)

UNEXPLAINED = "nothing that fingerprints cover: other library versions, or another kind of machine"
NEW = "not planned before: a new image, or one beyond an earlier --limit"
UNPLANNED = "no longer planned: its image is gone from the source, or was taken down"
LIMITED = "still planned, but not in this version: --limit"
EARLIER = "planned, but since this version, which is the earlier one"


@dataclass(frozen=True)
class Side:
    """One of the versions: shard -> stage -> output, shard -> key -> who left it out, field -> stage that writes it."""

    version: Version
    shards: Mapping[str, Mapping[str, StageOutput]]
    quarantine: Mapping[str, Mapping[str, str]]
    owner: Mapping[str, str]

    def left_out(self, shard: str) -> Mapping[str, str]:
        return self.quarantine.get(shard, {})

    def outputs(self, shard: str) -> list[StageOutput]:
        return list(self.shards[shard].values())

    def has_same(self, other: Side, shard: str) -> bool:
        """Whether both versions have this shard, every output equal, so that it need not be read."""
        if shard not in self.shards or shard not in other.shards:
            return False
        digests = [{o.stage: o.digest for o in side.outputs(shard)} for side in (self, other)]
        return digests[0] == digests[1] and self.left_out(shard).keys() == other.left_out(shard).keys()


def open_side(storage: Storage, version: Version) -> Side:
    """A version's tables, ready to compare."""
    quarantine: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in table_rows(storage, version, "quarantine.parquet"):
        quarantine[entry["shard"]][entry["key"]] = f"'{entry['stage']}' ({entry['kind']})"
    shards = {outputs[0].shard: {o.stage: o for o in outputs} for outputs in shard_outputs(storage, version)}
    owner = {name: stage["name"] for stage in version.manifest["stages"] for name in stage["writes"]}
    return Side(version, shards, dict(quarantine), owner)


@dataclass(frozen=True)
class Placed:
    """A record's row, the shard it is in, and whether today's plan still has that shard."""

    row: Row
    shard: str
    still_planned: bool


def rows_of(storage: Storage, version: Version, shards: Collection[str]) -> list[Shard]:
    """Where the rows of these shards lie, by shard. Raises ShardError where they are lost."""
    found = find_rows(storage, version, shards)
    lost = sorted(set(shards) - found.keys())
    if lost:
        raise ShardError(
            f"version {version.id} cannot be compared: the plan knows no rows of its shard {lost[0]}; "
            f"`sluice dataset verify` says what to do"
        )
    return [found[shard] for shard in sorted(shards)]


def kept_rows(storage: Storage, side: Side, shards: Collection[str], workers: int | None) -> dict[str, Placed]:
    """The rows of these shards by key, without those that a stage left out. Raises ShardError where a row is lost."""
    wanted = rows_of(storage, side.version, shards)
    read = in_threads(partial(planned_rows, storage, side.version), wanted, workers)
    placed: dict[str, Placed] = {}
    for shard, rows in zip(wanted, read, strict=True):
        kept = (row for row in rows if row.key not in side.left_out(shard.id))
        placed.update({row.key: Placed(row, shard.id, shard.ordinal >= 0) for row in kept})
    return placed


@dataclass
class Changes:
    """Changed records with their fields, and how many of them each cause explains."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    causes: Counter[str] = field(default_factory=Counter)

    def note(self, key: str, fields: Sequence[str], cause: str) -> None:
        """These fields of a record changed, for this cause."""
        self.fields[key] = sorted([*self.fields.get(key, []), *fields])
        self.causes[cause] += 1

    def add(self, other: Changes) -> None:
        """Take over the changes of other records."""
        self.fields.update(other.fields)
        self.causes.update(other.causes)


@dataclass(frozen=True)
class Meeting:
    """A shard of `b`, the shards of `a` that share records with it, and which (None: all that both hold)."""

    shard: str
    partners: tuple[str, ...]
    keys: frozenset[str] | None


def open_diff(storage: Storage, a: Side, b: Side, reasons: Mapping[str, str], workers: int | None) -> RecordDiff:
    """Two sides ready to compare. Raises ShardError where the plan lost rows of a shard."""
    old = kept_rows(storage, a, a.shards.keys() - b.shards.keys(), workers)
    new = kept_rows(storage, b, b.shards.keys() - a.shards.keys(), workers)
    return RecordDiff(storage, a, b, old, new, reasons)


@dataclass(frozen=True)
class RecordDiff:
    """Compares the records of two sides.

    `old` and `new` are the kept rows of the shards that only one side has; `reasons` says of a stage what changed it.
    """

    storage: Storage
    a: Side
    b: Side
    old: Mapping[str, Placed]
    new: Mapping[str, Placed]
    reasons: Mapping[str, str]

    def added(self) -> Iterator[tuple[str, str]]:
        """(key, why) of each record that only `b` has."""
        left_out = {key: who for entries in self.a.quarantine.values() for key, who in entries.items()}
        for key in [*self._gone(self.a, self.b), *(self.new.keys() - self.old.keys())]:
            yield key, f"was left out by {left_out[key]}" if key in left_out else NEW

    def removed(self) -> Iterator[tuple[str, str]]:
        """(key, why) of each record that only `a` has."""
        left_out = {key: who for entries in self.b.quarantine.values() for key, who in entries.items()}
        for key in [*self._gone(self.b, self.a), *(self.old.keys() - self.new.keys())]:
            if key in left_out:
                yield key, f"left out by {left_out[key]}"
            else:
                yield key, self._still_planned if self.old[key].still_planned else UNPLANNED

    @property
    def _still_planned(self) -> str:
        return LIMITED if self.b.version.limited else EARLIER

    def _gone(self, side: Side, other: Side) -> Iterator[str]:
        """Of the shards that both have, what one left out and the other did not."""
        for shard in side.shards.keys() & other.shards.keys():
            yield from side.left_out(shard).keys() - other.left_out(shard).keys()

    def meetings(self) -> list[Meeting]:
        """What to compare: each shard of `b` that is not the same in `a`, with the shards of `a` that share records."""
        shared: dict[str, list[str]] = defaultdict(list)
        for key in sorted(self.new.keys() & self.old.keys()):
            shared[self.new[key].shard].append(key)
        moved = [
            Meeting(shard, tuple(sorted({self.old[key].shard for key in keys})), frozenset(keys))
            for shard, keys in shared.items()
        ]
        both = [shard for shard in self.b.shards if shard in self.a.shards and not self.b.has_same(self.a, shard)]
        return [Meeting(shard, (shard,), None) for shard in both] + moved

    def compare(self, meeting: Meeting) -> Changes:
        """The fields that differ, of those that both sides have; tars of equal digests are not read."""
        writers: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name in sorted(self.a.owner.keys() & self.b.owner.keys()):
            writers[self.a.owner[name], self.b.owner[name]].append(name)
        changes = Changes()
        for (before, after), names in writers.items():
            old = [self.a.shards[shard][before] for shard in meeting.partners]
            new = self.b.shards[meeting.shard][after]
            if [output.digest for output in old] != [new.digest]:
                self._compare(meeting, names, (old, new), self.reasons.get(after) or self.reasons.get(before), changes)
        return changes

    def _compare(
        self,
        meeting: Meeting,
        names: Sequence[str],
        outputs: tuple[Sequence[StageOutput], StageOutput],
        reason: str | None,
        changes: Changes,
    ) -> None:
        first = self._digests(outputs[0], names, meeting.keys)
        second = self._digests([outputs[1]], names, meeting.keys)
        left_out = self.b.left_out(meeting.shard).keys() | self.a.left_out(meeting.shard).keys()
        for key in sorted(first.keys() & second.keys() - left_out):
            differing = [name for name in names if first[key].get(name) != second[key].get(name)]
            if differing:
                changes.note(key, differing, reason or self._row_change(key))

    def _digests(
        self, outputs: Iterable[StageOutput], names: Collection[str], keys: Collection[str] | None
    ) -> dict[str, dict[str, bytes]]:
        return {
            key: {name: hashlib.sha256(data).digest() for name, data in fields.items()}
            for output in outputs
            for key, fields in stream_output(self.storage, output, names)
            if keys is None or key in keys
        }

    def _row_change(self, key: str) -> str:
        """What the source changed about a record, else that nothing explains it."""
        if key not in self.old or key not in self.new:
            return UNEXPLAINED
        before, after = self.old[key].row, self.new[key].row
        changed = {
            "its captions or other files beside the image changed": before.side != after.side,
            "its image is found under another URI": before.uri != after.uri,
            "its list of duplicates changed": before.duplicates != after.duplicates,
        }
        return ", ".join(cause for cause, true in changed.items() if true) or UNEXPLAINED
