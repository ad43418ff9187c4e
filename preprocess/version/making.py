"""What a build's commits come to: a version, whose manifest names their outputs and accounts for every image."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.infra.commits import Commit
from sluice.infra.errors import SluiceError
from sluice.infra.storage import MissingFile, Storage
from sluice.infra.tables import DamagedTable, read_table
from sluice.preprocess.graph import Node
from sluice.preprocess.planning.build import Build, Commits
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.version.manifest import DamagedVersion, Version, version_of

FORMAT = 1
QUARANTINE = pa.schema([(name, pa.string()) for name in ("key", "uri", "shard", "stage", "kind", "reason")])


class LostRecords(SluiceError):
    """A stage neither kept nor left out every record that it was given."""

    exit_code = 1


class LostOutput(SluiceError):
    """What a stage made is no longer there."""

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


def settle(build: Build, commits: Commits, shards: Sequence[Shard]) -> tuple[Counts, list[dict[str, str]]]:
    """How many images went where, and the quarantine: one entry for each image left out, by the first stage.

    Raises LostOutput, LostRecords.
    """
    for node in build.nodes:
        _require_outputs(build, node, commits, shards)
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


def _require_outputs(build: Build, node: Node, commits: Commits, shards: Sequence[Shard]) -> None:
    lost = [shard.id for shard in shards if shard.id not in commits[node.name]]
    if lost:
        raise LostOutput(
            f"what stage '{node.name}' made of {len(lost)} shards, {lost[0]} first, went from "
            f"{build.storage.uri}/stages/{node.name}/{node.fingerprint} while the build ran, or a file is shorter than "
            "it was: does something else delete there? Build again, which makes it anew"
        )


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


def is_as_made(storage: Storage, version: Version, files: Mapping[str, bytes]) -> bool:
    """Whether a version is there, and its manifest and tables say what they are to say."""
    try:
        there = version_of(storage, version.dataset, version.id)
        tables = {name: read_table(storage, f"{version.prefix}/{name}") for name in files}
    except (MissingFile, DamagedVersion, DamagedTable):
        return False
    return there == version and all(pq.read_table(io.BytesIO(files[name])).equals(tables[name]) for name in files)


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
