"""The dataset flow: what is left of a build, as Prefect tasks over one Ray session, then the version and its export."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from rich.console import Console
from sluice.flows.progress import BuildProgress
from sluice.flows.session import prepare_prefect, ray_session
from sluice.infra.errors import SluiceError
from sluice.infra.execute import Dispatcher, ExecutionError, Unit
from sluice.preprocess.build import Build, pending, read_commits
from sluice.preprocess.card import dataset_card
from sluice.preprocess.export import Exported, ExportUnit, export_shard, read_export
from sluice.preprocess.graph import Node, Resources
from sluice.preprocess.manifest import Version, make_manifest, read_table, store_version, version_ids
from sluice.preprocess.plan import Shard
from sluice.preprocess.work import Outcome, StageUnit, StageWork, failures

EXPORT_LIMIT_BYTES = 50e9
WAVE = 1000
SHOWN_REASONS = 5


class TooManyFailures(SluiceError):
    """More images failed than `max_failures` allows."""


@dataclass(frozen=True)
class BuildWork:
    """What the actors of a build run: stages, and at the end the export."""

    stages: StageWork

    def open(self, kind: str) -> Callable[[Any], Any]:
        if kind == "export":
            return partial(export_shard, self.stages.storage, self.stages.storage)
        return self.stages.open(kind)

    def halve(self, unit: Any) -> tuple[Any, Any] | None:
        return self.stages.halve(unit) if isinstance(unit, StageUnit) else None

    def mark(self, unit: Any) -> Any:
        if not isinstance(unit, StageUnit):
            raise ExecutionError(f"writing {unit.target} killed its worker twice; is there enough memory?")
        return self.stages.mark(unit)


@dataclass
class Tally:
    """Counts failures as units finish, and stops the run when there are too many."""

    allowed: int
    entries: dict[str, dict[str, str]]

    def add(self, entries: Sequence[dict[str, str]]) -> None:
        for entry in entries:
            if entry["kind"] == "failed":
                self.entries.setdefault(entry["key"] or entry["uri"], entry)
        if len(self.entries) > self.allowed:
            raise TooManyFailures(self._message())

    def _message(self) -> str:
        shown = list(self.entries.values())[:SHOWN_REASONS]
        lines = [f"  {entry['uri']} ({entry['stage']}): {entry['reason'].splitlines()[0]}" for entry in shown]
        return (
            f"{len(self.entries)} images failed, and max_failures allows {self.allowed}. The first:\n"
            + "\n".join(lines)
            + "\nWhat is done is kept. Mend them, or raise max_failures, and build again."
        )


def scan_runner(config_workers: int | None, address: str | None) -> Callable[..., None]:
    """Runs index scans: a few in this process's threads, many as Ray tasks."""

    def run(function: Callable[[list[Any]], Any], bundles: list[list[Any]]) -> None:
        if len(bundles) <= FEW_BUNDLES:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(SCAN_THREADS) as threads:
                list(threads.map(function, bundles))
            return
        with ray_session(address, config_workers):
            import ray

            task = ray.remote(function)
            ray.get([task.remote(bundle) for bundle in bundles])

    return run


FEW_BUNDLES = 20
SCAN_THREADS = 4


def build_dataset(build: Build, console: Console, retry: bool = False, limit: int | None = None) -> Version:
    """Run what is left of a build and write its version. With nothing left, neither Ray nor Prefect starts."""
    shards = build.plan.shards[:limit]
    commits = read_commits(build)
    left = list(pending(build, commits, shards, retry))
    running = {(node.name, shard.id) for node, shard in left}
    known = [
        entry
        for node in build.nodes
        for unit, commit in commits[node.name].items()
        if (node.name, unit) not in running and unit in {s.id for s in shards}
        for entry in failures(commit)
    ]
    tally = Tally(math.ceil(build.config.max_failures * sum(s.records for s in shards)), {})
    tally.add([{"key": "", "stage": "index", "kind": "failed", **entry} for entry in build.plan.unreadable] + known)
    if left:
        _run(build, left, tally, console, retry)
    return finish(build, shards, console)


def _units(left: Sequence[tuple[Node, Shard]], retry: bool) -> list[Unit]:
    names = {f"{node.name}/{shard.id}" for node, shard in left}
    return [
        Unit(
            name=f"{node.name}/{shard.id}",
            kind=node.name,
            payload=StageUnit(node.name, shard, retry=retry),
            needs={f"{parent}/{shard.id}" for parent in node.parents} & names,
        )
        for node, shard in left
    ]


def _run(build: Build, left: Sequence[tuple[Node, Shard]], tally: Tally, console: Console, retry: bool) -> None:
    totals: dict[str, int] = defaultdict(int)
    for node, shard in left:
        totals[node.name] += shard.records
    work = BuildWork(
        StageWork(build.storage, build.plan_prefix, build.source, {node.name: node for node in build.nodes})
    )
    demands = {node.name: node.stage.resources for node in build.nodes}
    with ray_session(build.config.ray_address, build.config.workers), BuildProgress(console, totals) as progress:

        def on_result(unit: Unit, outcome: Outcome) -> None:
            if unit.payload.span is None:
                progress.advance(unit.kind, unit.payload.shard.records)
                tally.add(outcome.quarantined)

        with Dispatcher(work, demands, on_result, build.config.workers) as dispatcher:
            units = _units(left, retry)
            dispatcher.submit(units)
            stage_flow(build.config.name, dispatcher, units)


def stage_flow(name: str, dispatcher: Dispatcher, units: Sequence[Unit]) -> None:
    """The Prefect flow of a run: a task for each stage and wave of 1,000 shards, which ends when its units have."""
    prepare_prefect()
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.task_runners import ThreadPoolTaskRunner

    waves: dict[str, list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for unit in units:
        waves[f"{unit.kind}-{counts[unit.kind] // WAVE}"].append(unit.name)
        counts[unit.kind] += 1

    @task(cache_policy=NO_CACHE, persist_result=False)
    def stage(wave: str, shards: int) -> int:
        dispatcher.wait(waves[wave])
        return shards

    @flow(
        name="sluice-dataset",
        flow_run_name=name,
        persist_result=False,
        task_runner=ThreadPoolTaskRunner(max_workers=max(len(waves), 1)),
    )
    def dataset(dataset: str) -> None:
        futures = [stage.with_options(task_run_name=wave).submit(wave, len(members)) for wave, members in waves.items()]
        for future in futures:
            future.result()

    dataset(name)


def finish(build: Build, shards: Sequence[Shard], console: Console) -> Version:
    """Write the version that the commits make, its export and card. What is there already is left alone."""
    version, files = make_manifest(build, read_commits(build), shards)
    if version.id in version_ids(build.storage, version.dataset):
        store_version(build.storage, version, {})
        return version
    files["README.md"] = dataset_card(version).encode()
    store_version(build.storage, version, files)
    export(build, version)
    return version


def export(build: Build, version: Version) -> None:
    """Merge the version's shards into plain webdataset tars (up to 50 GB, unless the configuration says otherwise)."""
    config = build.config
    tars = config.export == "always" or (config.export == "auto" and version.manifest["bytes"] <= EXPORT_LIMIT_BYTES)
    by_shard: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in read_table(build.storage, version, "shards.parquet"):
        by_shard[row["ordinal"]].append(row)
    units = [
        ExportUnit(f"{version.prefix}/{config.name}-{ordinal:05d}", outputs, tars)
        for ordinal, outputs in sorted(by_shard.items())
    ]
    done = [export_shard(build.storage, build.storage, unit) for unit in units]
    listed = json.dumps([asdict(exported) for exported in done], indent=1)
    build.storage.write(f"{version.prefix}/export.json", listed.encode())


_ = (Exported, read_export, Resources)
