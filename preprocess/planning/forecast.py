"""Why a stage would run, and what that will take: a build told against the version before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.infra.commits import Commit, CommitLog
from sluice.preprocess.compare.explain import StageChange, stage_changes
from sluice.preprocess.graph import Node
from sluice.preprocess.planning.build import Build, Commits, pending
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.units.work import failures
from sluice.preprocess.version.making import describe_node
from sluice.preprocess.version.manifest import UnknownVersion, read_version

# Seconds and bytes a record, of the defaults at 512 px on one laptop core; used until a stage has run once here.
ASSUMED_SECONDS = {"image": 0.03, "segments": 4.0, "hed": 1.2, "pose": 0.4, "mask": 0.6, "background": 0.4}
ASSUMED_BYTES = {"image": 90_000, "background": 90_000, "depth": 150_000, "fg_depth": 80_000, "bg_depth": 150_000}
OTHER_SECONDS, OTHER_BYTES = 0.05, 30_000


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan: shards and records that run and that are there already, why, and what it will take.

    `seconds` are of one worker; `measured` tells estimates from earlier runs from assumed ones.
    """

    name: str
    model: str
    run_shards: int
    run_records: int
    cached_shards: int
    reason: str
    seconds: float
    bytes: int
    measured: bool
    notes: tuple[str, ...]


def forecast(build: Build, commits: Commits, shards: Sequence[Shard], retry: bool) -> list[StagePlan]:
    """What would run, stage by stage."""
    left: dict[str, list[Shard]] = {node.name: [] for node in build.nodes}
    for node, shard in pending(build, commits, shards, retry):
        left[node.name].append(shard)
    before = _manifest_before(build)
    after = {"stages": [describe_node(node) for node in build.nodes]}
    changes = {change.stage: change for change in stage_changes(before, after)}
    plans = []
    for node in build.nodes:
        seconds, size, measured = _rates(build, node, commits[node.name], before)
        run = left[node.name]
        records = sum(_to_run(build, commits, node, shard, retry) for shard in run)
        plans.append(
            StagePlan(
                name=node.name,
                model=node.stage.model or "",
                run_shards=len(run),
                run_records=records,
                cached_shards=len(shards) - len(run),
                reason=_reason(run, commits[node.name], changes.get(node.name), retry),
                seconds=records * seconds,
                bytes=round(records * size),
                measured=measured,
                notes=node.notes,
            )
        )
    return plans


def _to_run(build: Build, commits: Commits, node: Node, shard: Shard, retry: bool) -> int:
    """How many records of a shard run: all, or where a retry finds its output, those that failed at any stage."""
    if not retry or shard.id not in commits[node.name]:
        return shard.records
    made = (commits[other.name].get(shard.id) for other in build.nodes)
    return len({entry["key"] for commit in made if commit for entry in failures(commit)})


def _manifest_before(build: Build) -> dict[str, Any]:
    try:
        return read_version(build.storage, build.config.name).manifest
    except UnknownVersion:
        return {"stages": []}


def _reason(run: Sequence[Shard], commits: Mapping[str, Commit], change: StageChange | None, retry: bool) -> str:
    if not run:
        return "cached"
    if change is not None:
        return str(change).partition(": ")[2]
    if retry and any(failures(commits[shard.id]) for shard in run if shard.id in commits):
        return "retries what failed"
    if not any(shard.id in commits for shard in run):
        return "new or changed images, or its output is gone"
    return "its inputs changed"


def _rates(
    build: Build, node: Node, commits: Mapping[str, Commit], before: Mapping[str, Any]
) -> tuple[float, float, bool]:
    """Seconds and bytes a record, from this stage's commits, else from those of the version before, else assumed."""
    samples = list(commits.values())
    fingerprints = [stage["fingerprint"] for stage in before["stages"] if stage["name"] == node.name]
    if not samples and fingerprints:
        samples = list(CommitLog(build.storage, f"stages/{node.name}/{fingerprints[0]}").all().values())
    timed = [c for c in samples if c.facts.get("computed") and c.records]
    if not timed:
        return ASSUMED_SECONDS.get(node.name, OTHER_SECONDS), ASSUMED_BYTES.get(node.name, OTHER_BYTES), False
    seconds = sum(c.facts["seconds"] for c in timed) / sum(c.facts["computed"] for c in timed)
    return seconds, sum(c.size for c in timed) / sum(c.records for c in timed), True
