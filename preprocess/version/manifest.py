"""A version of a data set: a manifest that names every shard's stage outputs, written last; aliases point to it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.commits import Commit
from sluice.infra.errors import SluiceError
from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.graph import Node
from sluice.preprocess.planning.build import Build, Commits
from sluice.preprocess.planning.plan import Shard

FORMAT = 1
KEPT_BEFORE = 100


class UnknownVersion(SluiceError):
    """The data set has no such version or alias."""


class DamagedVersion(UnknownVersion):
    """A file of a version, or an alias, cannot be read."""

    exit_code = 1


class LostRecords(SluiceError):
    """A stage neither kept nor left out every record that it was given."""

    exit_code = 1


@dataclass(frozen=True)
class Counts:
    """`images` = `records` + `duplicates` + `quarantined` + `filtered`, always. Quarantined includes the unreadable."""

    images: int
    records: int
    duplicates: int
    quarantined: int
    filtered: int

    def check(self) -> None:
        """Raises ArithmeticError when an image was lost or doubled."""
        if self.images != self.records + self.duplicates + self.quarantined + self.filtered:
            raise ArithmeticError(f"images in and out do not agree, which is a defect of Sluice: {self}")


@dataclass(frozen=True)
class Version:
    """A version as its manifest says it."""

    dataset: str
    id: str
    manifest: dict[str, Any]

    @property
    def prefix(self) -> str:
        return f"datasets/{self.dataset}/{self.id}"

    @property
    def limited(self) -> bool:
        """Whether it has only the first shards of its plan (`build --limit`)."""
        return len(self.manifest["shards"]) < int(self.manifest["planned_shards"])


def settle(build: Build, commits: Commits, shards: Sequence[Shard]) -> tuple[Counts, list[dict[str, str]]]:
    """How many images went where, and the quarantine: one entry for each image left out, by the first stage."""
    quarantine: dict[str, dict[str, str]] = {}
    for node in build.nodes:
        for shard in shards:
            for entry in commits[node.name][shard.id].quarantined:
                quarantine.setdefault(entry["key"], {**entry, "shard": shard.id})
    entries = sorted(quarantine.values(), key=lambda e: e["key"])
    unread = build.plan.unreadable_entries()
    planned = sum(shard.records for shard in shards)
    filtered = sum(entry["kind"] == "filtered" for entry in entries)
    limited = len(shards) < len(build.plan.shards)
    counts = Counts(
        images=planned if limited else build.plan.images,
        records=planned - len(entries),
        duplicates=0 if limited else build.plan.duplicates,
        quarantined=len(entries) - filtered + (0 if limited else len(unread)),
        filtered=filtered,
    )
    counts.check()
    for shard in shards:
        _check_records(build.nodes, commits, shard)
    return counts, entries + ([] if limited else unread)


def _check_records(nodes: Sequence[Node], commits: Commits, shard: Shard) -> None:
    """Raises LostRecords where a stage's output is not the records that it was given, less those that it left out."""
    left_out: dict[str, set[str]] = {}
    for node in nodes:
        commit = commits[node.name][shard.id]
        own = {entry["key"] for entry in commit.quarantined}
        left_out[node.name] = own.union(*(left_out[parent] for parent in node.parents))
        expected = shard.records - len(left_out[node.name])
        if commit.records != expected:
            raise LostRecords(
                f"stage '{node.name}' should have {expected} records of shard {shard.id}, and its commit "
                f"stages/{node.name}/{node.fingerprint}/{shard.id}.json counts {commit.records}. Delete that file and "
                "build again; if it stays so, the stage loses records without rejecting them."
            )


def describe_node(node: Node) -> dict[str, Any]:
    """A stage as the manifest names it."""
    return {
        "name": node.name,
        "version": node.stage.version,
        "parameters": node.stage.parameters.model_dump(mode="json", exclude=set(node.stage.parameters.execution)),
        "model": node.stage.model,
        "weights": node.weights_digest,
        "reads": list(node.stage.reads),
        "writes": list(node.stage.writes),
        "parents": list(node.parents),
        "fingerprint": node.fingerprint,
        "notes": list(node.notes),
    }


def make_manifest(build: Build, commits: Commits, shards: Sequence[Shard]) -> tuple[Version, dict[str, bytes]]:
    """The version that these commits make, and its files beside the manifest (`shards.parquet`, `quarantine.parquet`).

    Its id is the digest of what it says; nothing in it tells when, where or by how many workers it was built.
    """
    counts, quarantine = settle(build, commits, shards)
    rows = [_shard_row(node, shard, commits[node.name][shard.id]) for shard in shards for node in build.nodes]
    files = {"shards.parquet": _parquet(rows), "quarantine.parquet": _parquet(quarantine, QUARANTINE)}
    manifest = {
        "format": FORMAT,
        "dataset": build.config.name,
        "source": {"kind": build.source.kind, **build.source.config.model_dump(mode="json")},
        "counts": asdict(counts),
        "stages": [describe_node(node) for node in build.nodes],
        "left_out": list(build.left_out),
        "shards": [[shard.ordinal, shard.id, shard.records] for shard in shards],
        "planned_shards": len(build.plan.shards),
        "outputs": hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest(),
        "quarantine": hashlib.sha256(json.dumps(quarantine, sort_keys=True).encode()).hexdigest(),
        "bytes": sum(int(row["bytes"]) for row in rows),
    }
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:12]
    return Version(build.config.name, digest, manifest), files


QUARANTINE = pa.schema([(name, pa.string()) for name in ("key", "uri", "shard", "stage", "kind", "reason")])


def _shard_row(node: Node, shard: Shard, commit: Commit) -> dict[str, Any]:
    return {
        "ordinal": shard.ordinal,
        "shard": shard.id,
        "stage": node.name,
        "file": f"stages/{node.name}/{node.fingerprint}/{commit.file}",
        "sidecar": f"stages/{node.name}/{node.fingerprint}/{commit.sidecar}" if commit.sidecar else "",
        "digest": commit.digest,
        "bytes": commit.size,
        "records": commit.records,
    }


def _parquet(rows: Sequence[Mapping[str, Any]], schema: pa.Schema | None = None) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), stream, compression="zstd")
    return stream.getvalue()


def store_version(storage: Storage, version: Version, files: Mapping[str, bytes]) -> None:
    """Write a version's files, its manifest last, and let `latest` point to it where it may."""
    for name, data in files.items():
        storage.write(f"{version.prefix}/{name}", data)
    storage.write(f"{version.prefix}/manifest.json", json.dumps(version.manifest, indent=1, sort_keys=True).encode())
    set_latest(storage, version)


def set_latest(storage: Storage, version: Version) -> None:
    """Let `latest` point to a version, unless that has only the first shards and the latest one has all."""
    if version.limited:
        with suppress(UnknownVersion):
            if not read_version(storage, version.dataset).limited:
                return
    point(storage, version, "latest")


def point(storage: Storage, version: Version, alias: str) -> None:
    """Let an alias, which may be new, point to a version; it keeps the ids that it pointed to before, oldest first."""
    before = alias_history(storage, version.dataset, alias)
    if before[-1:] != [version.id]:
        said = {"version": version.id, "before": before[-KEPT_BEFORE:]}
        storage.write(f"datasets/{version.dataset}/aliases/{alias}.json", json.dumps(said).encode())


def alias_history(storage: Storage, dataset: str, alias: str = "latest") -> list[str]:
    """The ids that an alias pointed to, oldest first, the present one last; none where it is not there or damaged."""
    try:
        said = json.loads(storage.read(f"datasets/{dataset}/aliases/{alias}.json"))
        return [*said.get("before", ()), said["version"]]
    except (MissingFile, ValueError, KeyError, TypeError, AttributeError):
        return []


def read_version(storage: Storage, dataset: str, name: str = "latest") -> Version:
    """A version by id (or its beginning) or alias. Raises UnknownVersion, DamagedVersion."""
    alias = f"datasets/{dataset}/aliases/{name}.json"
    try:
        name = json.loads(storage.read(alias))["version"]
    except MissingFile:
        pass
    except ValueError as error:
        raise DamagedVersion(
            f"{storage.uri}/{alias} is damaged ({error}); delete it, and name a version by its id until the next build "
            "writes it anew"
        ) from error
    ids = version_ids(storage, dataset)
    found = [version for version in ids if version.startswith(name)]
    if len(found) != 1:
        there = f"there are: {', '.join(ids)}" if ids else "it has none yet: run `sluice dataset build`"
        raise UnknownVersion(f"data set '{dataset}' in {storage.uri} has no version '{name}'; {there}")
    path = f"datasets/{dataset}/{found[0]}/manifest.json"
    try:
        return Version(dataset, found[0], json.loads(storage.read(path)))
    except ValueError as error:
        raise UnknownVersion(
            f"{storage.uri}/{path} is damaged ({error}); delete it and run the same build again, which writes it anew"
        ) from error


def version_ids(storage: Storage, dataset: str) -> list[str]:
    """The ids of all versions of a data set."""
    paths = (entry.path.split("/") for entry in storage.list(f"datasets/{dataset}/"))
    return sorted(path[2] for path in paths if len(path) == 4 and path[3] == "manifest.json")


def read_table(storage: Storage, version: Version, name: str) -> list[dict[str, Any]]:
    """The rows of `shards.parquet` or `quarantine.parquet` of a version. Raises MissingFile, DamagedVersion."""
    path = f"{version.prefix}/{name}"
    try:
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(storage.read(path))).to_pylist()
    except MissingFile as error:
        raise MissingFile(
            f"{storage.uri}/{path} is missing, and only it says what version {version.id} is made of. Run the build "
            "that made it again, which writes it anew, or name another version."
        ) from error
    except pa.ArrowException as error:
        raise DamagedVersion(
            f"{storage.uri}/{path} is damaged ({error}); delete it and run the build that made it again, which writes "
            "it anew"
        ) from error
    return rows
