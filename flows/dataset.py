"""The dataset flow: what is left of a build, as Prefect tasks over one Ray session, then the version and its export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from sluice.flows.build_units import EXPORT, BuildWork, Done, merge_units, rows_of, stage_units
from sluice.flows.prefect_server import prefect_server
from sluice.flows.progress import BuildProgress
from sluice.flows.session import ray_session
from sluice.flows.stage_flow import run_stage_flow
from sluice.flows.tally import Tally, tally_before
from sluice.infra.execute import Dispatcher, Unit
from sluice.preprocess.graph import Resources
from sluice.preprocess.planning.build import Build, pending, read_commits
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.units.work import StageWork
from sluice.preprocess.version.card import dataset_card
from sluice.preprocess.version.export import Exported, is_whole, list_exported
from sluice.preprocess.version.manifest import Version, make_manifest, set_alias, store_version


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
    tally = tally_before(build, commits, shards, {(node.name, shard.id) for node, shard in left})
    return _Run(build, shards, stage_units(left, commits, retry), tally, console).run()


@dataclass
class _Run:
    """One run: its units, and what it has seen of them so far."""

    build: Build
    shards: Sequence[Shard]
    units: Sequence[Unit]
    tally: Tally
    console: Console
    exported: list[Exported] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)

    def run(self) -> Version:
        config = self.build.config
        nodes = {node.name: node for node in self.build.nodes}
        work = BuildWork(StageWork(self.build.storage, self.build.plan_prefix, self.build.source, nodes))
        demands = {name: node.stage.resources for name, node in nodes.items()} | {EXPORT: Resources()}
        self.rows = rows_of(self.units)
        with (
            prefect_server(),
            ray_session(config.ray_address, config.workers),
            BuildProgress(self.console, self._totals()) as self.progress,
            Dispatcher(work, demands, self._on_result, config.workers) as self.dispatcher,
        ):
            self.dispatcher.submit(self.units)
            try:
                return run_stage_flow(config.name, self.dispatcher, self.units, self._finish)
            finally:
                self.repeated["driver"] = work.retries
                _say_repeated(self.console, +self.repeated)

    def _totals(self) -> dict[str, tuple[int, int]]:
        """Records and shards by stage."""
        records: Counter[str] = Counter()
        shards: Counter[str] = Counter()
        for unit in self.units:
            records[unit.kind] += self.rows[unit.name]
            shards[unit.kind] += unit.payload.span is None
        merged = (sum(shard.records for shard in self.shards), len(self.shards))
        return {kind: (records[kind], shards[kind]) for kind in records} | {EXPORT: merged}

    def _on_result(self, unit: Unit, done: Done) -> None:
        self.repeated[unit.kind] += done.retries
        if isinstance(done.result, Exported):
            self.exported.append(done.result)
            self.progress.advance(EXPORT, done.result.records, 1)
        elif unit.name in self.rows:  # not the half of a unit that killed its worker
            whole = unit.payload.span is None
            self.progress.advance(unit.kind, self.rows[unit.name], int(whole))
            if whole:
                self.tally.add(done.result.quarantined)

    def _finish(self) -> Version:
        version, files = make_manifest(self.build, read_commits(self.build), self.shards)
        merges = merge_units(self.build, version, files)
        self.dispatcher.submit(merges)
        self.dispatcher.wait([unit.name for unit in merges])
        files["README.md"] = dataset_card(version).encode()
        files["export.json"] = list_exported(self.exported)
        store_version(self.build.storage, version, files)
        return version


def _say_repeated(console: Console, repeated: Counter[str]) -> None:
    if repeated:
        where = ", ".join(f"{kind} {count}" for kind, count in sorted(repeated.items()))
        console.print(f"{repeated.total()} requests to storage failed and were repeated ({where})", style="yellow")
