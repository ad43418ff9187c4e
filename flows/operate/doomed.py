"""What no kept version needs, in the order in which it may go: first what readers trust, then what that names."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.flows.operate.activity import Activity, shard_of
from sluice.flows.operate.keeping import Kept
from sluice.flows.operate.stored import Stored
from sluice.infra.commits import CLAIM, CommitLog
from sluice.infra.storage import Entry, MissingFile, Storage
from sluice.preprocess.version.card import CARD


@dataclass(frozen=True)
class Doomed:
    """Files that go together: `names` (a manifest, commits) before `files`; not once all files `claims` are young."""

    what: str
    names: Sequence[str]
    files: Sequence[str]
    size: int
    claims: Sequence[str] = ()

    @property
    def count(self) -> int:
        return len(self.names) + len(self.files)


def doomed_versions(place: Storage, kept: Kept, active: Activity) -> Iterator[Doomed]:
    """Versions that are not kept, and what merging left of such as never had a manifest."""
    name = kept.data.name
    for stored in kept.going:
        yield _version(place, f"version {name} {stored.id}", stored)
    for id_ in kept.data.merging if name not in active.at_work else ():
        prefix = f"datasets/{name}/{id_}"
        entries = list(place.list(f"{prefix}/"))
        if entries and not _any_young(entries, active):  # else a build went on with it meanwhile
            yield _doomed(f"unfinished version {name} {id_}", (), entries, [f"{prefix}/{CARD}"])


def _version(place: Storage, what: str, stored: Stored) -> Doomed:
    prefix = stored.version.prefix
    entries = list(place.list(f"{prefix}/"))
    manifest = [entry for entry in entries if entry.path == f"{prefix}/manifest.json"]
    claims = [f"{output}/{CLAIM}" for output in sorted(stored.outputs)]
    return _doomed(what, manifest, [entry for entry in entries if entry not in manifest], claims)


def _any_young(entries: Sequence[Entry], active: Activity) -> bool:
    return any(entry.modified > active.since for entry in entries)


@dataclass
class _Unit:
    """The files of a stage on one shard."""

    commit: list[Entry] = field(default_factory=list)
    outputs: list[Entry] = field(default_factory=list)
    chunks: list[Entry] = field(default_factory=list)


def doomed_outputs(place: Storage, prefix: str, kept: Sequence[Kept], active: Activity) -> Doomed | None:
    """Of a stage's fingerprint; None where nothing goes, as while anything there is young."""
    entries = list(place.list(f"{prefix}/"))
    if _any_young(entries, active):
        return None
    units, others = _units(entries, prefix)
    versions = [stored for own in kept for stored in own.versions if prefix in stored.outputs]
    needed = frozenset().union(*(stored.shards for stored in versions))
    going = [unit for shard, unit in units.items() if shard not in needed and shard not in active.shards]
    staying = {shard: unit for shard, unit in units.items() if shard in needed and shard not in active.shards}
    names = [entry for unit in going for entry in unit.commit]
    files = [entry for unit in going for entry in (*unit.outputs, *unit.chunks)]
    files += _superseded(place, prefix, versions, staying)
    if len(going) == len(units):
        files += others
    if not names and not files:
        return None
    _, stage, fingerprint = prefix.split("/")
    told = f"{len(going)} units that no kept version names" if going else "what no commit and no version names"
    return _doomed(f"{stage} {fingerprint[:12]}: {told}", names, files, [f"{prefix}/{CLAIM}"])


def _doomed(what: str, names: Sequence[Entry], files: Sequence[Entry], claims: Sequence[str]) -> Doomed:
    size = sum(entry.size for entry in (*names, *files))
    return Doomed(what, [entry.path for entry in names], [entry.path for entry in files], size, claims)


def _units(entries: Sequence[Entry], prefix: str) -> tuple[dict[str, _Unit], list[Entry]]:
    """By shard, and roll-ups and claims."""
    units: dict[str, _Unit] = defaultdict(_Unit)
    others = []
    for entry in entries:
        name = entry.path[len(prefix) + 1 :]
        shard = shard_of(name)
        if shard is None:
            others.append(entry)
        elif name.startswith("chunks/"):
            units[shard].chunks.append(entry)
        else:
            (units[shard].commit if name.endswith(".json") else units[shard].outputs).append(entry)
    return units, others


def _superseded(place: Storage, prefix: str, versions: Sequence[Stored], units: dict[str, _Unit]) -> Iterator[Entry]:
    """Of units that are needed: chunks of what is committed, and outputs that neither commit nor version names."""
    for unit in units.values():
        if unit.commit:
            yield from unit.chunks
    several = {shard: unit for shard, unit in units.items() if len(unit.outputs) > 2 and unit.commit}
    if not several:
        return
    named = _files(place, versions, {entry.path for unit in several.values() for entry in unit.outputs})
    log = CommitLog(place, prefix)
    for shard, unit in several.items():
        commit = log.get(shard)
        if commit is not None:  # else it is damaged, and what it named is not known
            own = named | {log.path(name) for name in (commit.file, commit.sidecar) if name}
            yield from (entry for entry in unit.outputs if entry.path not in own)


def _files(place: Storage, versions: Sequence[Stored], asked: Collection[str]) -> set[str]:
    """Those of some files that versions name: all, where a version cannot say."""
    found: set[str] = set()
    for stored in versions:
        try:
            data = io.BytesIO(place.read(f"{stored.version.prefix}/shards.parquet"))
            columns = pq.read_table(data, columns=["file", "sidecar"]).columns
        except (MissingFile, pa.ArrowException):
            return set(asked)
        for column in columns:
            found.update(path for path in column.to_pylist() if path in asked)
    return found
