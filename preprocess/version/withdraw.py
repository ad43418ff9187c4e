"""Records withdrawn: deleted from everything under a place at once, so that nothing there holds or names them.

What is left of each shard is written first, then every version, export and index is put right, and only then what held
the records is deleted, the rows that tell which shards these are as the very last. So whatever moment it is killed at,
doing it again goes on; doing it twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sluice.infra.storage import Storage
from sluice.preprocess.planning.cut import copies, cut_plans, cut_row_files
from sluice.preprocess.planning.index import forget
from sluice.preprocess.planning.removed import removed_keys
from sluice.preprocess.units.cut import cut_roll_up
from sluice.preprocess.version.beside import cut_beside, relist
from sluice.preprocess.version.card import note_withdrawn
from sluice.preprocess.version.cut import CutVersion, Left, cut_version, holds, withdrawn_from, withdrawn_manifest
from sluice.preprocess.version.export import export_shard, export_units, list_exported, listed_exports
from sluice.preprocess.version.manifest import UnknownVersion, Version, read_version, version_ids
from sluice.preprocess.version.survey import Survey, survey
from sluice.preprocess.version.without import leave, version_without


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal came to: new versions, versions that lost these records now or before, tables of exports that
    did, and the pages and half-written versions that were deleted."""

    made: Sequence[Version]
    cut: Sequence[Version]
    exports: Sequence[str]
    deleted: Sequence[str]


def withdraw(storage: Storage, keys: Collection[str]) -> Withdrawn:
    """Delete the records of these keys from everything under a storage, in which nothing else may be at work.

    Raises ShardError for a damaged or missing tar, UnknownVersion for a version that cannot be read.
    """
    gone = frozenset(keys)
    storage.sweep(0)  # half-written files may hold them, those of a build that was killed a moment ago too
    found = survey(storage, gone)
    outputs = leave(storage, found.cuts, found.tars())
    made: list[Version] = []
    for dataset in found.datasets:
        left = Left(found.cuts, outputs, copies(storage, dataset, gone))
        cut_plans(storage, dataset, left.cuts, left.images)
        made += _next_version(storage, dataset, left)
        for version in _versions(storage, dataset):
            if holds(version, left):
                withdraw_from(storage, version, left)
    exports = [table for table in found.beside if cut_beside(storage, table, gone)]
    for listing in found.listings:
        relist(storage, listing)
    for part in found.index:
        forget(storage, part, gone)
    for roll_up in found.roll_ups:
        cut_roll_up(storage, roll_up, found.cuts)
    tombstones = removed_keys(gone).tombstones
    versions = [version for dataset in found.datasets for version in _versions(storage, dataset)]
    cut = [version for version in versions if tombstones.intersection(withdrawn_from(version))]
    return Withdrawn(made, cut, exports, _delete(storage, found, gone, cut))


def _versions(storage: Storage, dataset: str) -> Iterator[Version]:
    return (read_version(storage, dataset, version) for version in version_ids(storage, dataset))


def _next_version(storage: Storage, dataset: str, left: Left) -> list[Version]:
    try:
        last = read_version(storage, dataset)
    except UnknownVersion:  # it has none yet, or only earlier ones, from which they are withdrawn all the same
        return []
    return [version_without(storage, last, left)] if holds(last, left) else []


def withdraw_from(storage: Storage, version: Version, left: Left) -> None:
    """Take records out of a version, which keeps its id and says so; its manifest is written last."""
    cut = cut_version(storage, version, left)
    gone = [key for _, shard, _ in version.manifest["shards"] if shard in left.cuts for key in left.cuts[shard].keys]
    after = Version(version.dataset, version.id, withdrawn_manifest(version, cut, gone))
    _merge_anew(storage, version, cut)
    card = f"{version.prefix}/README.md"
    files = cut.files
    if storage.head(card) is not None:
        files["README.md"] = note_withdrawn(storage.read(card).decode(), version, after).encode()
    files["manifest.json"] = json.dumps(after.manifest, indent=1, sort_keys=True).encode()
    for name, data in files.items():
        storage.write(f"{version.prefix}/{name}", data)


def _merge_anew(storage: Storage, version: Version, cut: CutVersion) -> None:
    """The merged shards that lose records, from what is left of the stages' outputs."""
    listed = listed_exports(storage, version)
    tars = any(made.digest for made in listed.values())
    units = {unit.target: unit for unit in export_units(version, cut.outputs, f"{version.prefix}/", tars)}
    for ordinal in cut.ordinals:
        target = f"{version.prefix}/{version.dataset}-{ordinal:05d}"
        made = export_shard(storage, storage, units[target]) if target in units and target in listed else None
        if made is None or not made.digest:
            storage.delete([f"{target}.tar"])
        if made is None:
            storage.delete([f"{target}.parquet"])
        listed = {**listed, target: made} if made else {t: m for t, m in listed.items() if t != target}
    if storage.head(f"{version.prefix}/export.json") is not None:
        storage.write(f"{version.prefix}/export.json", list_exported(list(listed.values())))


def _delete(storage: Storage, found: Survey, keys: Collection[str], cut: Sequence[Version]) -> list[str]:
    """Delete what held the records; the pages and half-written versions among it are answered."""
    folders = tuple(f"{version.prefix}/" for version in cut)
    pages = [page for page in found.pages if page.startswith(folders) or _names(storage.read(page), keys)]
    half = [folder for folder in sorted(found.versions) if storage.head(f"{folder}/manifest.json") is None]
    unfinished = [entry.path for folder in half for entry in storage.list(f"{folder}/")]
    storage.delete([*pages, *unfinished, *found.chunks])
    for shard in found.cuts:
        storage.delete(found.outputs[shard])
    for dataset in found.datasets:
        storage.delete(cut_row_files(storage, dataset, keys))
    return [*pages, *unfinished]


def _names(page: bytes, keys: Collection[str]) -> bool:
    return any(key.encode() in page for key in keys)
