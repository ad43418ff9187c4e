"""Where a version of a data set comes from: configuration, source, stages, weights, libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from sluice.flows.operate.told import NoLineage, Told, plain
from sluice.flows.training.data import BUILT
from sluice.infra.commits import CommitLog
from sluice.infra.errors import SluiceError
from sluice.infra.settings import parse
from sluice.infra.storage import Storage, StorageError, storage
from sluice.infra.weights.models import MissingWeights, find
from sluice.preprocess.planning.registry import stage_class
from sluice.preprocess.version.cut import withdrawn_from
from sluice.preprocess.version.manifest import UnknownVersion, Version, read_version


def built(uri: str) -> tuple[Storage, Version]:
    """The latest version of `OUT/datasets/NAME`, or `OUT/datasets/NAME/VERSION`. Raises NoLineage, UnknownVersion."""
    named = BUILT.fullmatch(uri)
    if named is None:
        raise NoLineage(f"{uri} names no data set: give OUT/datasets/NAME, or OUT/datasets/NAME/VERSION")
    place = storage(named["out"] or ".")
    return place, read_version(place, named["name"], named["version"] or "latest")


def of_data(uri: str, digest: str) -> Told:
    """Of data that a training read: `NAME VERSION` in a place, or a folder of merged shards and a digest of these."""
    name, _, id_ = digest.partition(" ")
    if name == uri:
        return Told(f"data: merged shards in {uri}, {id_}", list(_of_export(storage(uri))))
    try:
        return of_version(storage(uri), read_version(storage(uri), name, id_))
    except (UnknownVersion, StorageError) as error:
        return Told(f"data: {name} {id_} in {uri}, which is no longer there, or cannot be read: {plain(error)}")


def _of_export(place: Storage) -> Iterator[Told]:
    """The card of an export says which version it is of."""
    try:
        titles = [line for line in place.read("README.md").decode().splitlines() if line.startswith("# ")]
    except StorageError:
        titles = []
    yield Told(f"exported of data set {titles[0][2:]}" if titles else "of which version is not known: its card is gone")


def of_version(place: Storage, version: Version) -> Told:
    """Of a version, by its manifest and its commits."""
    manifest, counts = version.manifest, version.manifest["counts"]
    source = {name: value for name, value in manifest["source"].items() if name not in ("kind", "uri")}
    further = f"; {plain(source)}" if source else ""
    told = [
        Told(f"source: {manifest['source']['kind']} {manifest['source'].get('uri')}{further}"),
        *(_stage(stage) for stage in manifest["stages"]),
        *(Told(line) for line in manifest["left_out"]),
        *_withdrawn(version),
        *_made_with(place, version),
    ]
    many = f"{counts['records']} records of {counts['images']} images in {len(manifest['shards'])} shards"
    return Told(f"data set {version.dataset}, version {version.id} in {place.uri}: {many}", told)


def _withdrawn(version: Version) -> Iterator[Told]:
    gone = withdrawn_from(version)
    if gone:
        yield Told(f"images withdrawn from it since it was made: {len(gone)}")


def _stage(stage: Mapping[str, Any]) -> Told:
    parameters = {name: value for name, value in stage["parameters"].items() if name != "model"}
    line = f"stage {stage['name']}, version {stage['version']}, fingerprint {stage['fingerprint']}: {plain(parameters)}"
    return Told(line, [*_weights(stage), *(Told(note) for note in stage["notes"])])


def _weights(stage: Mapping[str, Any]) -> Iterator[Told]:
    if stage["weights"] is None:
        if stage["model"]:
            yield Told(f"{stage['model']}, which has no weights")
        return
    names = _names(stage)
    yield Told(f"weights {' and '.join(names)}, SHA-256 {stage['weights']}{_today(names, stage['weights'])}")


def _names(stage: Mapping[str, Any]) -> tuple[str, ...]:
    """All that a stage finds by name; the model alone where the stage itself is no longer there."""
    try:
        cls = stage_class(stage["name"])
        own = cls(parse(cls.parameters_type, stage["parameters"], f"stages.{stage['name']}"))
    except SluiceError:
        return (stage["model"],)
    return (own.weights or stage["model"], *own.further_weights)


def _today(names: tuple[str, ...], digest: str) -> str:
    """What the cache has under these names now, where that is not what was used."""
    try:
        digests = [find(name).digest for name in names]
    except MissingWeights:
        return " (not in the cache now)"
    except SluiceError as error:
        return f" (no longer here: {plain(error)})"
    now = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return "" if now == digest else f" (what has the name now has {now})"


def _made_with(place: Storage, version: Version) -> Iterator[Told]:
    """The versions of code and libraries of the first shard's commits."""
    if not version.manifest["shards"]:
        return
    _, shard, _ = version.manifest["shards"][0]
    yield from versions_of(place, version, shard)


def versions_of(place: Storage, version: Version, shard: str) -> Iterator[Told]:
    """By which code and libraries the stages' outputs on a shard were made, once for all that have the same."""
    made: dict[str, list[str]] = {}
    for stage in version.manifest["stages"]:
        commit = CommitLog(place, f"stages/{stage['name']}/{stage['fingerprint']}").get(shard)
        told = plain(commit.facts.get("versions", {})) if commit else "not known: its commit is gone, or damaged"
        made.setdefault(told, []).append(stage["name"])
    for told, stages in made.items():
        yield Told(f"{', '.join(stages)} of shard {shard} made with: {told}")
