"""The dataset flow: what is left of a build, as Prefect tasks over one Ray session, then the version and its export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console

from sluice.flows.dataset.tally import Tally, tally_before
from sluice.flows.dataset.units import EXPORT, BuildWork, Done, merge_units, rows_of, stage_units
from sluice.flows.observe.ending import note_of, noting
from sluice.flows.observe.given import command_of, note_command
from sluice.flows.observe.page import LivePage
from sluice.flows.observe.units import done as observe
from sluice.flows.prefect_server import prefect_server
from sluice.flows.progress import BuildProgress
from sluice.flows.session import ray_session
from sluice.flows.stage_flow import run_stage_flow
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.placement import ExecutionError
from sluice.infra.execution.unit import Unit
from sluice.infra.page.blocks import Page
from sluice.preprocess.graph import Resources
from sluice.preprocess.page.dataset import dataset_page, of_run, run_page
from sluice.preprocess.planning.build import Build, pending, read_commits
from sluice.preprocess.planning.plan import Shard, store_plan
from sluice.preprocess.units.work import StageWork
from sluice.preprocess.version.card import CARD, dataset_card
from sluice.preprocess.version.export import Exported, is_whole, list_exported, merged_already
from sluice.preprocess.version.making import is_as_made, make_manifest
from sluice.preprocess.version.manifest import Version, set_latest, store_version
from sluice.preprocess.version.taken_down import refuse_taken_down


def build_dataset(build: Build, console: Console, retry: bool = False, limit: int | None = None) -> Version:
    """Run what is left of a build and write its version. With nothing left, neither Ray nor Prefect starts.

    Raises TakenDown where its records are removed meanwhile.
    """
    repeated: Counter[str] = Counter()
    try:
        with noting(build.storage, note_of(build.config.name)):
            note_command(build.storage, command_of(build.config.name))
            return _build_rest(build, console, retry, limit, repeated)
    finally:  # the last page is written by then, and the note
        repeated["driver"] = build.storage.retries + build.source.retries
        _say_repeated(console, +repeated)


def _build_rest(build: Build, console: Console, retry: bool, limit: int | None, repeated: Counter[str]) -> Version:
    store_plan(build.storage, build.plan_prefix, build.layout)
    shards = build.plan.shards[:limit]
    commits = read_commits(build)
    left = list(pending(build, commits, shards, retry))
    if not left:
        refuse_taken_down(build, shards)
        version, files = make_manifest(build, commits, shards)
        merges = [unit.payload for unit in merge_units(build, version, files)]
        if is_as_made(build.storage, version, files) and is_whole(build.storage, version, merges):
            set_latest(build.storage, version)
            return version
    tally = tally_before(build, commits, shards, {(node.name, shard.id) for node, shard in left})
    try:
        return _run(build, shards, stage_units(left, commits, retry), tally, repeated, console)
    except ExecutionError:  # as of a unit whose list of rows was withdrawn
        refuse_taken_down(build, shards)
        raise


@dataclass
class _Arrivals:
    """What has come of the units so far."""

    rows: Mapping[str, int]
    progress: BuildProgress
    tally: Tally
    repeated: Counter[str]
    exported: list[Exported] = field(default_factory=list)

    def __call__(self, unit: Unit, done: Done) -> None:
        self.repeated[unit.kind] += done.retries
        if isinstance(done.result, Exported):
            self.exported.append(done.result)
            self.progress.advance(EXPORT, done.result.records, 1)
            observe(unit, done.result.records, done.result.size, repeated=done.retries)
        elif unit.name in self.rows:  # not the half of a unit that killed its worker
            whole = unit.payload.span is None
            self.progress.advance(unit.kind, self.rows[unit.name], int(whole))
            kinds = [entry["kind"] for entry in done.result.quarantined]
            observe(unit, self.rows[unit.name], done.result.size, kinds, done.retries)
            if whole:
                self.tally.add(done.result.quarantined)


def _run(
    build: Build,
    shards: Sequence[Shard],
    units: Sequence[Unit],
    tally: Tally,
    repeated: Counter[str],
    console: Console,
) -> Version:
    config = build.config
    nodes = {node.name: node for node in build.nodes}
    work = BuildWork(StageWork(build.storage, build.plan_prefix, build.source, nodes))
    demands = {name: node.stage.resources for name, node in nodes.items()} | {EXPORT: Resources()}
    rows = rows_of(units)
    with (
        LivePage(build.storage, run_page(config.name), lambda: _page(build)),
        prefect_server(),
        ray_session(config.ray_address, config.workers),
        BuildProgress(console, _totals(units, rows, shards)) as progress,
    ):
        arrivals = _Arrivals(rows, progress, tally, repeated)
        with Dispatcher(work, demands, arrivals, config.workers) as dispatcher:
            dispatcher.submit(units)
            return run_stage_flow(
                "sluice-dataset",
                config.name,
                dispatcher,
                units,
                lambda: _finish(build, shards, dispatcher, arrivals),
            )


def _page(build: Build) -> Page:
    return dataset_page(of_run(build, read_commits(build)), datetime.now().astimezone())


def _totals(units: Sequence[Unit], rows: Mapping[str, int], shards: Sequence[Shard]) -> dict[str, tuple[int, int]]:
    """Records and shards by stage."""
    records: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for unit in units:
        records[unit.kind] += rows[unit.name]
        whole[unit.kind] += unit.payload.span is None
    merged = (sum(shard.records for shard in shards), len(shards))
    return {kind: (records[kind], whole[kind]) for kind in records} | {EXPORT: merged}


def _finish(build: Build, shards: Sequence[Shard], dispatcher: Dispatcher, arrivals: _Arrivals) -> Version:
    """The version of what is committed now: the merged shards that it has not yet, then its manifest, last."""
    refuse_taken_down(build, shards)
    version, files = make_manifest(build, read_commits(build), shards)
    files[CARD] = dataset_card(version).encode()
    build.storage.write(f"{version.prefix}/{CARD}", files[CARD])  # so that garbage collection leaves what was merged
    merges = merge_units(build, version, files)
    there = merged_already(build.storage, version, [unit.payload for unit in merges])
    if there:
        arrivals.exported += there
        arrivals.progress.advance(EXPORT, sum(exported.records for exported in there), len(there))
    left = [unit for unit in merges if unit.payload.target not in {exported.target for exported in there}]
    dispatcher.submit(left)
    dispatcher.wait([unit.name for unit in left])
    files["export.json"] = list_exported(arrivals.exported)
    refuse_taken_down(build, shards)
    store_version(build.storage, version, files)
    return version


def _say_repeated(console: Console, repeated: Counter[str]) -> None:
    if repeated:
        where = ", ".join(f"{kind} {count}" for kind, count in sorted(repeated.items()))
        console.print(f"{repeated.total()} requests to storage failed and were repeated ({where})", style="yellow")
