"""What the actors of a build run: a stage on a shard or a stretch of it, and at the end the merging of shards."""

from __future__ import annotations

import io
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any

import pyarrow.parquet as pq

from sluice.infra.execution.placement import ExecutionError
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Node
from sluice.preprocess.planning.build import Build, Commits
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.units.work import CHUNK, StageUnit, StageWork
from sluice.preprocess.version.export import export_shard, export_units
from sluice.preprocess.version.manifest import Version

EXPORT = "export"
EXPORT_LIMIT_BYTES = 50e9
STEPS, STRETCH = 8, 4 * CHUNK


@dataclass(frozen=True)
class Done:
    """A finished unit: what it came to, and how many requests its worker repeated for it."""

    result: Any
    retries: int


@dataclass(frozen=True)
class BuildWork:
    """The work of a build, as an actor opens it: stages and the export."""

    stages: StageWork

    @property
    def retries(self) -> int:
        """How many requests to source and storage were repeated so far, in this process."""
        return self.stages.storage.retries + self.stages.source.retries

    def open(self, kind: str) -> Callable[[Any], Done]:
        """The function that runs units of a stage, or of the export."""
        storage = self.stages.storage
        run = partial(export_shard, storage, storage) if kind == EXPORT else self.stages.open(kind)
        return partial(self._counting, run)

    def _counting(self, run: Callable[[Any], Any], unit: Any) -> Done:
        before = self.retries
        return Done(run(unit), self.retries - before)

    def halve(self, unit: Any) -> tuple[Any, Any, Any] | None:
        """A stage's unit in two, and itself, where it has more than one row."""
        return self.stages.halve(unit) if isinstance(unit, StageUnit) else None

    def mark(self, unit: Any) -> Any:
        """A stage's unit of one row, to be quarantined; ExecutionError for the export, which no image can kill."""
        if not isinstance(unit, StageUnit):
            raise ExecutionError(f"writing {unit.target} killed its worker twice; is there enough memory?")
        return self.stages.mark(unit)


def stage_units(left: Sequence[tuple[Node, Shard]], commits: Commits, retry: bool) -> list[Unit]:
    """The units of what is left to run, each waiting for the stages it reads from.

    A slow stage runs a fresh shard in stretches, an eighth of it or 128 rows where that is less, and then puts them
    together, so that several workers share a shard, be it the only one, and its progress shows.
    """
    run = uuid.uuid4().hex if retry else ""
    names = {f"{node.name}/{shard.id}" for node, shard in left}
    units = []
    for node, shard in left:
        whole = Unit(f"{node.name}/{shard.id}", node.name, StageUnit(node.name, shard, retry=run))
        whole.needs = {f"{parent}/{shard.id}" for parent in node.parents} & names
        if node.stage.slow and shard.id not in commits[node.name]:
            stretches = _stretches(whole, shard, node.stage.batch_size)
            whole.needs = {unit.name for unit in stretches} or whole.needs
            units += stretches
        units.append(whole)
    return units


def _stretches(whole: Unit, shard: Shard, batch_size: int) -> list[Unit]:
    """Of whole batches; none where one would be the whole shard."""
    length = math.ceil(min(shard.records / STEPS, STRETCH) / batch_size) * batch_size
    if length >= shard.records:
        return []
    spans = [(start, min(start + length, shard.records)) for start in range(0, shard.records, length)]
    return [
        Unit(f"{whole.name}/{start}", whole.kind, StageUnit(whole.kind, shard, (start, stop)), set(whole.needs))
        for start, stop in spans
    ]


def rows_of(units: Sequence[Unit]) -> dict[str, int]:
    """How many rows each unit accounts for; putting stretches together accounts for none."""
    apart = {unit.payload.shard.id + unit.kind for unit in units if unit.payload.span is not None}
    rows = {}
    for unit in units:
        start, stop = unit.payload.span or (0, unit.payload.shard.records)
        together = unit.payload.span is None and unit.payload.shard.id + unit.kind in apart
        rows[unit.name] = 0 if together else stop - start
    return rows


def merge_units(build: Build, version: Version, files: Mapping[str, bytes]) -> list[Unit]:
    """One unit a shard: plain webdataset tars up to 50 GB, unless the configuration says otherwise."""
    policy = build.config.export
    tars = policy == "always" or (policy == "auto" and version.manifest["bytes"] <= EXPORT_LIMIT_BYTES)
    rows = pq.read_table(io.BytesIO(files["shards.parquet"])).to_pylist()
    units = export_units(version, rows, f"{version.prefix}/", tars)
    return [Unit(f"{EXPORT}/{PurePath(unit.target).name}", EXPORT, unit) for unit in units]
