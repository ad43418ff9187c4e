"""A build, resolved: weights found or replaced, index and plan up to date, and what is left to run, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.infra.commits import Commit
from sluice.infra.storage import Storage, storage
from sluice.preprocess.graph import Node
from sluice.preprocess.planning.config import DatasetConfig, make_source, make_stages
from sluice.preprocess.planning.index import index_prefix
from sluice.preprocess.planning.layout import make_layout
from sluice.preprocess.planning.listing import Change, RunScan, update
from sluice.preprocess.planning.plan import Layout, Plan, Shard
from sluice.preprocess.planning.removed import Removed, read_removed
from sluice.preprocess.planning.resolve import resolve
from sluice.preprocess.sources import Source
from sluice.preprocess.units.work import failures, stage_log

Commits = dict[str, dict[str, Commit]]


@dataclass(frozen=True)
class Build:
    """A configuration and everything it resolves to; `removed` is what had been taken down by then."""

    config: DatasetConfig
    storage: Storage
    source: Source[Any]
    nodes: Sequence[Node]
    left_out: Sequence[str]
    layout: Layout
    change: Change
    removed: Removed

    @property
    def plan(self) -> Plan:
        return self.layout.plan

    @property
    def prefix(self) -> str:
        return f"datasets/{self.config.name}"

    @property
    def plan_prefix(self) -> str:
        return f"{self.prefix}/plan"


def prepare(config: DatasetConfig, run_scan: RunScan, prune: bool = False, retry: bool = False) -> Build:
    """Resolve a configuration: weights, index, plan (which is not stored: `plan` is to change nothing).

    `retry` reads again what the index could not read, and nothing that is new. What was removed stays away. No stage
    runs.
    """
    source = make_source(config)
    nodes, left_out = resolve(make_stages(config))
    place = storage(config.out)
    looks, removed = config.near_duplicates is not None, read_removed(place)
    catalogue, change = update(source, place, looks, removed, run_scan, prune, retry)
    identity = {"index": index_prefix(source, looks), "shard_size": config.shard_size}
    prefix = f"datasets/{config.name}/plan"
    layout = make_layout(place, prefix, catalogue, removed, identity, config.near_duplicates, retry)
    return Build(config, place, source, nodes, left_out, layout, change, removed)


def read_commits(build: Build) -> Commits:
    """Every commit of every stage of the build."""
    return {node.name: stage_log(build.storage, node).all() for node in build.nodes}


def pending(build: Build, commits: Commits, shards: Sequence[Shard], retry: bool) -> Iterator[tuple[Node, Shard]]:
    """The (stage, shard) pairs to run: no output, other inputs, behind one that runs, or retried."""
    running: set[tuple[str, str]] = set()
    for node in build.nodes:
        for shard in shards:
            commit = commits[node.name].get(shard.id)
            if commit is None or _stale(node, shard, commit, commits, running) or (retry and failures(commit)):
                running.add((node.name, shard.id))
                yield node, shard


def _stale(node: Node, shard: Shard, commit: Commit, commits: Commits, running: set[tuple[str, str]]) -> bool:
    if any((parent, shard.id) in running for parent in node.parents):
        return True
    return any(commit.inputs.get(p) != commits[p][shard.id].digest for p in node.parents)
