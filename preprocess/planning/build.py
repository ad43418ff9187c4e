"""A build, resolved: weights found or replaced, index and plan up to date, and what is left to run, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.infra.commits import Commit
from sluice.infra.storage import Storage, storage
from sluice.preprocess.graph import Node
from sluice.preprocess.planning.config import DatasetConfig, make_source, make_stages
from sluice.preprocess.planning.index import Change, Image, index_prefix, update
from sluice.preprocess.planning.near_duplicates import near_duplicates
from sluice.preprocess.planning.plan import (
    Draft,
    Layout,
    Plan,
    Shard,
    grow,
    lay_out,
    plan_file,
    read_plans,
)
from sluice.preprocess.planning.removed import read_removed
from sluice.preprocess.planning.resolve import resolve
from sluice.preprocess.planning.rows import read_drafts
from sluice.preprocess.sources import Item, Source
from sluice.preprocess.units.work import failures, stage_log

RunScan = Callable[[Callable[[list[Item]], Any], list[list[Item]]], None]
Commits = dict[str, dict[str, Commit]]


@dataclass(frozen=True)
class Build:
    """A configuration and everything it resolves to."""

    config: DatasetConfig
    storage: Storage
    source: Source[Any]
    nodes: Sequence[Node]
    left_out: Sequence[str]
    layout: Layout
    change: Change

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
    looks = config.near_duplicates is not None
    images: Sequence[Image]
    images, change = update(source, place, looks, read_removed(place), run_scan, prune, retry)
    facts = {"index": index_prefix(source, looks), "shard_size": config.shard_size}
    prefix = f"datasets/{config.name}/plan"
    if retry:
        images = _known(place, prefix, images, facts)
    layout = _plan(place, prefix, images, config, facts)
    return Build(config, place, source, nodes, left_out, layout, change)


def _plan(
    place: Storage, prefix: str, images: Sequence[Image], config: DatasetConfig, identity: Mapping[str, Any]
) -> Layout:
    readable = [image for image in images if image.key]
    drafts = _drafts_before(place, prefix, readable, identity)
    near = _near(readable, drafts, config.near_duplicates) if config.near_duplicates else {}
    drafts = grow(drafts, readable, config.shard_size, near)
    unreadable = [{"uri": i.uri, "reason": i.error} for i in images if i.error]
    records = sum(len(draft.rows) for draft in drafts if draft)
    facts = {
        **identity,
        "images": len(readable) + len(unreadable),
        "duplicates": len(readable) - records,
        "unreadable": unreadable,
    }
    return lay_out(drafts, facts)


def _drafts_before(
    place: Storage, prefix: str, images: Sequence[Image], identity: Mapping[str, Any]
) -> Sequence[Draft | None]:
    """The shards to start from: those of this identity's plan, else of the one that has the most of the same images.

    So a source that moved, or is written in another way, or whose duplicates are now told by their looks, keeps its
    shards. One most of whose images are others is no beginning.
    """
    plans = read_plans(place, prefix)
    own = plans.pop(plan_file(identity), None)
    if own is not None:
        return read_drafts(place, prefix, *own)
    there = {(image.uri, image.key) for image in images}
    best: Sequence[Draft | None] = []
    most = 0
    for plan, stored in plans.values():
        if stored["shard_size"] == identity["shard_size"]:
            drafts = read_drafts(place, prefix, plan, stored)
            rows = [(row.uri, row.key) for draft in drafts if draft for row in draft.rows]
            shared = len(there.intersection(rows))
            if shared > most and 2 * shared > len(rows):
                best, most = drafts, shared
    return best


def _known(place: Storage, prefix: str, images: Sequence[Image], identity: Mapping[str, Any]) -> Sequence[Image]:
    """The images that the plan has or could not read, which are all that a retry is about; all where there is none."""
    own = read_plans(place, prefix).get(plan_file(identity))
    if own is None:
        return images
    rows = [row for draft in read_drafts(place, prefix, *own) if draft for row in draft.rows]
    known = {uri for row in rows for uri in (row.uri, *row.duplicates)} | {e["uri"] for e in own[1]["unreadable"]}
    return [image for image in images if image.uri in known]


def _near(images: Sequence[Image], drafts: Sequence[Draft | None], bits: int) -> dict[str, str]:
    """Near-duplicates of what is planned already, then of the smallest URI, so that old shards keep their rows."""
    planned = {row.uri for draft in drafts if draft for row in draft.rows}
    ordered = sorted(images, key=lambda image: (image.uri not in planned, image.uri))
    return near_duplicates([(image.uri, image.look) for image in ordered], bits)


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
