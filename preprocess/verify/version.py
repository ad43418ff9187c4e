"""Verify a version: every shard against commit and digest, every record for its fields, and that nothing is lost."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sluice.infra.parallel import in_threads
from sluice.infra.storage import MissingFile, Storage
from sluice.infra.tables import DamagedTable
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.planning.rows import PLAN_ANEW
from sluice.preprocess.shards import ShardError
from sluice.preprocess.verify.export import ExportCheck, load_export, rewrite
from sluice.preprocess.verify.problems import ANEW, REBUILD, Problem
from sluice.preprocess.verify.shard import ShardCheck, StageFacts
from sluice.preprocess.version.cut import is_as_named, version_id
from sluice.preprocess.version.export import Exported
from sluice.preprocess.version.making import Counts
from sluice.preprocess.version.manifest import DamagedVersion, Version, table_rows
from sluice.preprocess.version.reading import (
    StageOutput,
    find_rows,
    plan_prefix,
    planned_rows,
    shard_outputs,
)

Progress = Callable[[int, int], None]


def verify(
    storage: Storage, version: Version, workers: int | None = None, progress: Progress | None = None
) -> list[Problem]:
    """All that is wrong with a version; an empty list says that every byte is as it was written and makes sense.

    Shards are read as streams, one in each of `workers` threads (by default one a core); `progress(done, all)` counts
    shards. Where the version's own files cannot be trusted, its shards are not looked at.
    """
    found = [*_check_manifest(version), *_check_tables(storage, version)]
    if any(not problem.path.endswith("manifest.json") for problem in found):
        return found
    exported, export_problems = load_export(storage, version)
    found += [*export_problems, *_check_card(storage, version)]
    try:
        check = _open(storage, version, exported)
    except (KeyError, TypeError, ValueError) as error:
        return [*found, Problem(f"{version.prefix}/manifest.json", f"cannot be used: {error!r}", rewrite(version))]
    shards = len(version.manifest["shards"])
    outputs = shard_outputs(storage, version)
    for done, problems in enumerate(in_threads(check.shard, outputs, workers), start=1):
        found += problems
        if progress is not None:
            progress(done, shards)
    return [*found, *check.counts(), *check.strays()]


def _check_manifest(version: Version) -> list[Problem]:
    if is_as_named(version):
        return []
    digest = version_id(version.manifest)
    what = f"was edited or damaged: what it says makes version {digest}, where it is the manifest of {version.id}"
    return [Problem(f"{version.prefix}/manifest.json", what, rewrite(version))]


def _check_tables(storage: Storage, version: Version) -> Iterator[Problem]:
    """`shards.parquet` and `quarantine.parquet` must say what the manifest's digests were made of."""
    for name, said in (("shards.parquet", "outputs"), ("quarantine.parquet", "quarantine")):
        path = f"{version.prefix}/{name}"
        try:
            digest = _digest(table_rows(storage, version, name))
        except MissingFile:
            yield Problem(path, "is missing", REBUILD)
        except DamagedVersion as error:
            yield Problem(path, f"does not read as parquet ({error.__cause__})", ANEW)
        else:
            if digest != version.manifest.get(said):
                what = f"its rows have SHA-256 {digest}, where the manifest says {version.manifest.get(said)}"
                yield Problem(path, what, ANEW)


def _check_card(storage: Storage, version: Version) -> list[Problem]:
    """A card must be there. What it says is not compared: another Sluice words it otherwise, and people add to it."""
    path = f"{version.prefix}/README.md"
    return [] if storage.head(path) else [Problem(path, "is missing; it is the data set's card", REBUILD)]


def _digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 of rows as one JSON list, of which only a row is held at a time."""
    digest = hashlib.sha256(b"[")
    for number, row in enumerate(rows):
        digest.update((", " if number else "").encode() + json.dumps(row, sort_keys=True).encode())
    digest.update(b"]")
    return digest.hexdigest()


def _open(storage: Storage, version: Version, exported: Mapping[str, Exported] | None) -> VersionCheck:
    stages: dict[str, StageFacts] = {}
    for stage in version.manifest["stages"]:
        line = frozenset({stage["name"]}).union(*(stages[parent].line for parent in stage["parents"]))
        stages[stage["name"]] = StageFacts(tuple(stage["writes"]), line)
    left_out: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in table_rows(storage, version, "quarantine.parquet"):
        left_out[entry["shard"]][entry["key"]] = entry["stage"]
    rows = find_rows(storage, version, {shard for _, shard, _ in version.manifest["shards"]})
    return VersionCheck(storage, version, exported, stages, dict(left_out), rows)


@dataclass(frozen=True)
class VersionCheck:
    """A version ready to check its shards, from several threads at once.

    `left_out` maps shard -> key -> the stage that left it out; `rows` says where each shard's rows lie.
    """

    storage: Storage
    version: Version
    exported: Mapping[str, Exported] | None
    stages: Mapping[str, StageFacts]
    left_out: Mapping[str, Mapping[str, str]]
    rows: Mapping[str, Shard]

    def shard(self, outputs: list[StageOutput]) -> list[Problem]:
        """All that is wrong with one shard: its plan, its stages' outputs, its export."""
        shard = outputs[0].shard
        planned, found = self._planned(shard)
        check = ShardCheck(self.storage, self.stages, planned, self.left_out.get(shard, {}), self._owner)
        found += check.check(outputs)
        if self.exported is not None:
            found += ExportCheck(self.storage, self.version, self.exported).check(outputs, check.contents)
        return found

    def _planned(self, shard: str) -> tuple[frozenset[str] | None, list[Problem]]:
        path = plan_prefix(self.version)
        remedy = f"delete the plan-*.json in {path} and run the same build again, which plans anew from the index"
        if shard not in self.rows:
            return None, [Problem(f"{path}/plan-*.json", f"know no rows of shard {shard}", remedy)]
        try:
            rows = planned_rows(self.storage, self.version, self.rows[shard])
        except (ShardError, DamagedTable, OSError, TypeError) as error:
            file = f"{path}/{self.rows[shard].file}"
            return None, [Problem(file, f"the rows of shard {shard} cannot be had ({error})", PLAN_ANEW)]
        return frozenset(row.key for row in rows), []

    def _owner(self, digest: str) -> str | None:
        outputs = chain.from_iterable(shard_outputs(self.storage, self.version))
        return next((output.file for output in outputs if output.digest == digest), None)

    def counts(self) -> list[Problem]:
        """The manifest's counts against its shards and its quarantine."""
        manifest = self.version.manifest
        counts = Counts(**manifest["counts"])
        entries = list(table_rows(self.storage, self.version, "quarantine.parquet"))
        filtered = sum(entry["kind"] == "filtered" for entry in entries)
        in_shards = sum(bool(entry["shard"]) for entry in entries)
        records = sum(records for _, _, records in manifest["shards"]) - in_shards
        expected = Counts(counts.images, records, counts.duplicates, len(entries) - filtered, filtered)
        lost = counts.images - records - counts.duplicates - len(entries)
        wrong = []
        if counts != expected:
            wrong.append(f"its counts are {counts}, where its shards and quarantine give {expected}")
        if lost:
            wrong.append(f"{abs(lost)} images are {'lost' if lost > 0 else 'doubled'}: in and out do not agree")
        return [Problem(f"{self.version.prefix}/manifest.json", what, rewrite(self.version)) for what in wrong]

    def strays(self) -> list[Problem]:
        """Tars and tables in the version's folder that are none of its own: readers of `*.tar` would take them in."""
        if self.exported is None:
            return []
        known = {f"{target}.parquet" for target in self.exported}
        known |= {f"{target}.tar" for target, entry in self.exported.items() if entry.digest}
        known |= {f"{self.version.prefix}/{name}.parquet" for name in ("shards", "quarantine")}
        paths = (entry.path for entry in self.storage.list(f"{self.version.prefix}/"))
        stray = [path for path in paths if path.endswith((".tar", ".parquet")) and path not in known]
        return [Problem(path, "is no part of this version", "delete it or move it away") for path in stray]
