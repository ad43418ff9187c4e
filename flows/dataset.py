"""The dataset flow: what is left of a build, as Prefect tasks over one Ray session, then the version and its export."""

from __future__ import annotations

import io
import math
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pyarrow.parquet as pq
from rich.console import Console

from sluice.flows.prefect_server import prefect_server
from sluice.flows.progress import BuildProgress
from sluice.flows.session import ray_session
from sluice.infra.errors import SluiceError
from sluice.infra.execute import Dispatcher, ExecutionError, Unit
from sluice.preprocess.graph import Node, Resources
from sluice.preprocess.planning.build import Build, Commits, pending, read_commits
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.units.work import StageUnit, StageWork, failures
from sluice.preprocess.version.card import dataset_card
from sluice.preprocess.version.export import Exported, export_shard, export_units, is_whole, list_exported
from sluice.preprocess.version.manifest import Version, make_manifest, set_alias, store_version

T = TypeVar("T")
EXPORT = "export"
EXPORT_LIMIT_BYTES = 50e9
WAVE = 1000
SHOWN_REASONS = 5


class TooManyFailures(SluiceError):
    """More images failed than `max_failures` allows."""

    exit_code = 1


@dataclass(frozen=True)
class Done:
    """A finished unit: what it came to, and how many requests its worker repeated for it."""

    result: Any
    retries: int


@dataclass(frozen=True)
class BuildWork:
    """What the actors of a build run: stages, and at the end the export."""

    stages: StageWork

    @property
    def retries(self) -> int:
        """How many requests to source and storage were repeated so far, in this process."""
        return self.stages.storage.retries + self.stages.source.retries

    def open(self, kind: str) -> Callable[[Any], Done]:
        storage = self.stages.storage
        run = partial(export_shard, storage, storage) if kind == EXPORT else self.stages.open(kind)
        return partial(self._counting, run)

    def _counting(self, run: Callable[[Any], Any], unit: Any) -> Done:
        before = self.retries
        return Done(run(unit), self.retries - before)

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


def build_dataset(build: Build, console: Console, retry: bool = False, limit: int | None = None) -> Version:
    """Run what is left of a build and write its version. With nothing left, neither Ray nor Prefect starts."""
    shards = build.plan.shards[:limit]
    commits = read_commits(build)
    left = list(pending(build, commits, shards, retry))
    if not left:
        version, _ = make_manifest(build, commits, shards)
        if is_whole(build.storage, version):
            set_alias(build.storage, version, "latest")
            return version
    unreadable = build.plan.unreadable_entries() if len(shards) == len(build.plan.shards) else []
    images = sum(shard.records for shard in shards) + len(unreadable)
    tally = Tally(math.ceil(build.config.max_failures * images), {})
    tally.add(unreadable)
    tally.add(known_failures(build, commits, shards, left))
    return _run(build, shards, left, tally, console, retry)


def known_failures(
    build: Build, commits: Commits, shards: Sequence[Shard], left: Sequence[tuple[Node, Shard]]
) -> list[dict[str, str]]:
    """What earlier runs left out, of the units that do not run now."""
    running = {(node.name, shard.id) for node, shard in left}
    kept = [(n, s) for n in build.nodes for s in shards if (n.name, s.id) not in running]
    return [entry for node, shard in kept for entry in failures(commits[node.name][shard.id])]


def _stage_units(left: Sequence[tuple[Node, Shard]], retry: bool) -> list[Unit]:
    run = uuid.uuid4().hex if retry else ""
    names = {f"{node.name}/{shard.id}" for node, shard in left}
    return [
        Unit(
            name=f"{node.name}/{shard.id}",
            kind=node.name,
            payload=StageUnit(node.name, shard, retry=run),
            needs={f"{parent}/{shard.id}" for parent in node.parents} & names,
        )
        for node, shard in left
    ]


def _run(
    build: Build,
    shards: Sequence[Shard],
    left: Sequence[tuple[Node, Shard]],
    tally: Tally,
    console: Console,
    retry: bool,
) -> Version:
    nodes = {node.name: node for node in build.nodes}
    work = BuildWork(StageWork(build.storage, build.plan_prefix, build.source, nodes))
    demands = {node.name: node.stage.resources for node in build.nodes} | {EXPORT: Resources()}
    units = _stage_units(left, retry)
    totals = Counter({EXPORT: sum(shard.records for shard in shards)})
    for node, shard in left:
        totals[node.name] += shard.records
    exported: list[Exported] = []
    repeated: Counter[str] = Counter()

    def on_result(unit: Unit, done: Done) -> None:
        outcome = done.result
        repeated[unit.kind] += done.retries
        if isinstance(outcome, Exported):
            exported.append(outcome)
            progress.advance(EXPORT, outcome.records)
        elif unit.payload.span is None:
            progress.advance(unit.kind, unit.payload.shard.records)
            tally.add(outcome.quarantined)

    with (
        prefect_server(),
        ray_session(build.config.ray_address, build.config.workers),
        BuildProgress(console, totals) as progress,
        Dispatcher(work, demands, on_result, build.config.workers) as dispatcher,
    ):
        dispatcher.submit(units)

        def finish() -> Version:
            version, files = make_manifest(build, read_commits(build), shards)
            merges = _export_units(build, version, files)
            dispatcher.submit(merges)
            dispatcher.wait([unit.name for unit in merges])
            files["README.md"] = dataset_card(version).encode()
            files["export.json"] = list_exported(exported)
            store_version(build.storage, version, files)
            return version

        try:
            return stage_flow(build.config.name, dispatcher, units, finish)
        finally:
            repeated["driver"] = work.retries
            _say_repeated(console, +repeated)


def _say_repeated(console: Console, repeated: Counter[str]) -> None:
    if repeated:
        where = ", ".join(f"{kind} {count}" for kind, count in sorted(repeated.items()))
        console.print(f"{repeated.total()} requests to storage failed and were repeated ({where})", style="yellow")


def _export_units(build: Build, version: Version, files: Mapping[str, bytes]) -> list[Unit]:
    """One unit a shard: plain webdataset tars up to 50 GB, unless the configuration says otherwise."""
    policy = build.config.export
    tars = policy == "always" or (policy == "auto" and version.manifest["bytes"] <= EXPORT_LIMIT_BYTES)
    rows = pq.read_table(io.BytesIO(files["shards.parquet"])).to_pylist()
    units = export_units(version, rows, f"{version.prefix}/", tars)
    return [Unit(f"{EXPORT}/{unit.target}", EXPORT, unit) for unit in units]


def stage_flow(name: str, dispatcher: Dispatcher, units: Sequence[Unit], finish: Callable[[], T]) -> T:
    """The Prefect flow of a run: a task for each stage and wave of 1,000 shards, which ends when its units have."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.task_runners import ThreadPoolTaskRunner

    waves: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for unit in units:
        waves[f"{unit.kind}-{counts[unit.kind] // WAVE}"].append(unit.name)
        counts[unit.kind] += 1

    threads: Any = ThreadPoolTaskRunner(max_workers=max(len(waves), 1))

    @task(cache_policy=NO_CACHE, persist_result=False)
    def stage(wave: str) -> None:
        dispatcher.wait(waves[wave])

    @task(name="version", cache_policy=NO_CACHE, persist_result=False)
    def version() -> T:
        return finish()

    @flow(
        name="sluice-dataset",
        flow_run_name=name,
        persist_result=False,
        task_runner=threads,
    )
    def dataset() -> T:
        try:
            for future in [stage.with_options(task_run_name=wave).submit(wave) for wave in waves]:
                future.result()
            return version()
        except BaseException as error:  # Ctrl-C too: Prefect waits for its tasks, and they for the dispatcher
            dispatcher.stop(error)
            raise

    return dataset()
