"""Why a stage would run, and what that will take: a build told against the version before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.infra.commits import Commit
from sluice.preprocess.build import Build, Commits, pending
from sluice.preprocess.graph import Node
from sluice.preprocess.manifest import UnknownVersion, describe_node, read_version
from sluice.preprocess.plan import Shard
from sluice.preprocess.work import failures, stage_log

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
    before = _stages_before(build)
    return [_stage_plan(build, node, left, commits[node.name], shards, before, retry) for node in build.nodes]


def _stages_before(build: Build) -> dict[str, dict[str, Any]] | None:
    try:
        manifest = read_version(build.storage, build.config.name).manifest
    except UnknownVersion:
        return None
    return {stage["name"]: stage for stage in manifest["stages"]}


def _stage_plan(
    build: Build,
    node: Node,
    left: Mapping[str, Sequence[Shard]],
    commits: Mapping[str, Commit],
    shards: Sequence[Shard],
    before: Mapping[str, dict[str, Any]] | None,
    retry: bool,
) -> StagePlan:
    run = left[node.name]
    records = sum(shard.records for shard in run)
    seconds, size, measured = _rates(build, node, commits, before)
    return StagePlan(
        name=node.name,
        model=node.stage.model or "",
        run_shards=len(run),
        run_records=records,
        cached_shards=len(shards) - len(run),
        reason=_reason(node, run, left, commits, before, retry),
        seconds=records * seconds,
        bytes=round(records * size),
        measured=measured,
        notes=node.notes,
    )


def _reason(
    node: Node,
    run: Sequence[Shard],
    left: Mapping[str, Sequence[Shard]],
    commits: Mapping[str, Commit],
    before: Mapping[str, dict[str, Any]] | None,
    retry: bool,
) -> str:
    if not run:
        return "cached"
    if before is None or node.name not in before:
        return "new"
    if before[node.name]["fingerprint"] != node.fingerprint:
        knobs = changed_knobs(before[node.name], describe_node(node))
        return "changed: " + "; ".join(knobs) if knobs else _behind(node, before, left)
    if retry and any(failures(commits[s.id]) for s in run if s.id in commits):
        return "retries what failed"
    if not any(shard.id in commits for shard in run):
        return "new or changed images, or its output is gone"
    return "its inputs changed"


def _behind(node: Node, before: Mapping[str, dict[str, Any]], left: Mapping[str, Sequence[Shard]]) -> str:
    parents = [name for name in node.parents if left.get(name)] or list(before[node.name]["parents"])
    return f"reads from {', '.join(parents)}, which changed"


def changed_knobs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two descriptions of a stage, as `name old -> new`."""
    changes = [
        f"{name} {before[name]} -> {after[name]}" for name in ("version", "model") if before[name] != after[name]
    ]
    if before["model"] == after["model"] and before["weights"] != after["weights"]:
        changes.append("its weights")
    old, new = before["parameters"], after["parameters"]
    names = sorted((old.keys() | new.keys()) - {"model"})
    return changes + [f"{n} {old.get(n)} -> {new.get(n)}" for n in names if old.get(n) != new.get(n)]


def _rates(
    build: Build, node: Node, commits: Mapping[str, Commit], before: Mapping[str, dict[str, Any]] | None
) -> tuple[float, float, bool]:
    """Seconds and bytes a record, from this stage's commits, else from those of the version before, else assumed."""
    samples = list(commits.values())
    if not samples and before and node.name in before:
        prefix = f"stages/{node.name}/{before[node.name]['fingerprint']}"
        log = stage_log(build.storage, node)
        samples = list(type(log)(build.storage, prefix).all().values())
    timed = [c for c in samples if c.facts.get("computed") and c.records]
    if not timed:
        return ASSUMED_SECONDS.get(node.name, OTHER_SECONDS), ASSUMED_BYTES.get(node.name, OTHER_BYTES), False
    seconds = sum(c.facts["seconds"] for c in timed) / sum(c.facts["computed"] for c in timed)
    return seconds, sum(c.size for c in timed) / sum(c.records for c in timed), True
