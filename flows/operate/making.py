"""What builds have made and no version names yet: by listings alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sluice.flows.operate.stored import DataSet
from sluice.infra.commits import CLAIM
from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.preprocess.version.export import OWN_FILES

LISTERS = 8


@dataclass(frozen=True)
class Outputs:
    """What lies under a stage's fingerprint: shards with a commit, shards begun, and when the last file was written."""

    prefix: str
    committed: frozenset[str]
    begun: frozenset[str]
    written: float


@dataclass(frozen=True)
class Merging:
    """A version that has no manifest: how many merged shards it has, and when the last was written."""

    id: str
    shards: int
    written: float


def stage_prefixes(place: Storage) -> list[str]:
    """Where the outputs of each stage's fingerprint lie."""
    return [
        f"stages/{stage}/{fingerprint}"
        for stage in place.folders("stages")
        for fingerprint in place.folders(f"stages/{stage}")
    ]


def unfinished(place: Storage, found: Sequence[DataSet]) -> list[Outputs]:
    """The outputs that versions do not tell all of: of unknown fingerprints, and of such as newest plans outgrew."""
    named = {prefix for data in found for stored in data.versions for prefix in stored.outputs}
    outgrown = {prefix for data in found for prefix in _outgrown(data)}
    prefixes = [prefix for prefix in stage_prefixes(place) if prefix in outgrown or prefix not in named]
    return list(in_threads(lambda prefix: _outputs(place, prefix), prefixes, LISTERS))


def _outgrown(data: DataSet) -> frozenset[str]:
    """Where the newest version's stages lack shards of the newest plan."""
    return data.versions[-1].outputs if data.versions and is_outgrown(data) else frozenset()


def is_outgrown(data: DataSet) -> bool:
    """Whether the newest plan has shards that the newest version has not."""
    planned = {shard.id for shard in data.plans[-1].shards} if data.plans else frozenset()
    return bool(planned - data.versions[-1].shards if data.versions else planned)


def _outputs(place: Storage, prefix: str) -> Outputs:
    committed, begun, written = set(), set(), 0.0
    for entry in place.list(f"{prefix}/"):
        name = entry.path[len(prefix) + 1 :]
        if name == CLAIM:  # who plans reads, and writes this
            continue
        written = max(written, entry.modified)
        if name.startswith("chunks/"):
            begun.add(name.split("/")[1])
        elif name.endswith(".json"):
            committed.add(name.removesuffix(".json"))
    return Outputs(prefix, frozenset(committed), frozenset(begun - committed), written)


def merging(place: Storage, data: DataSet) -> Iterator[Merging]:
    """The versions whose shards are being merged, or were when a build was killed."""
    for id_ in data.merging:
        entries = list(place.list(f"datasets/{data.name}/{id_}/"))
        if entries:  # else a folder of this disk from which all was deleted
            names = {entry.path.rpartition("/")[2] for entry in entries} - {*OWN_FILES}
            merged = sum(name.endswith(".parquet") for name in names)
            yield Merging(id_, merged, max(entry.modified for entry in entries))
