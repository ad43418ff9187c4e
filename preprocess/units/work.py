"""A unit of work: one stage on one shard. Reads the shard's inputs, runs the stage, writes a tar, commits."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sluice.infra.commits import Commit, CommitLog
from sluice.infra.scratch import scratch_folder
from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.graph import Node, Stage
from sluice.preprocess.planning.plan import Row, Shard
from sluice.preprocess.planning.rows import read_rows
from sluice.preprocess.shards import ShardError
from sluice.preprocess.sources import Source
from sluice.preprocess.units.batch import run_batch
from sluice.preprocess.units.inputs import Inputs
from sluice.preprocess.units.libraries import library_versions
from sluice.preprocess.units.output import Output, load, quarantine, store

CHUNK = 32
T = TypeVar("T")


@dataclass(frozen=True)
class StageUnit:
    """A stage on a shard, or on the rows `span` of it; `killer` says that its one row killed its worker.

    `retry` names the run that tries again what failed before it; it is empty in other runs.
    """

    stage: str
    shard: Shard
    span: tuple[int, int] | None = None
    killer: bool = False
    retry: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a unit came to: records kept, rows left out, records computed now (not reused), seconds and bytes."""

    records: int
    quarantined: list[dict[str, str]]
    computed: int
    seconds: float
    size: int


@dataclass(frozen=True)
class StageWork:
    """All that an actor needs to run any stage of a build; pickled once into each."""

    storage: Storage
    plan_prefix: str
    source: Source[Any]
    nodes: Mapping[str, Node]

    def open(self, kind: str) -> Callable[[StageUnit], Outcome]:
        """Load a stage's model; returns the function that runs its units. Its threads are the stage's CPUs."""
        node = self.nodes[kind]
        stage = copy.copy(node.stage)
        stage.open(node.weights_path)
        set_threads(stage.resources.cpus)
        return partial(run_unit, self, replace(node, stage=stage))

    def halve(self, unit: StageUnit) -> tuple[StageUnit, StageUnit, StageUnit] | None:
        """The unit in two spans, and itself, which then finds both done; None for a single row."""
        start, stop = unit.span or (0, unit.shard.records)
        if stop - start < 2:
            return None
        middle = (start + stop) // 2
        return replace(unit, span=(start, middle)), replace(unit, span=(middle, stop)), unit

    def mark(self, unit: StageUnit) -> StageUnit:
        """The single row of the unit, to be quarantined unseen."""
        return replace(unit, killer=True)


def set_threads(threads: int) -> None:
    """Use this many threads, whatever the machine has: their number must not change what is computed."""
    import cv2

    cv2.setNumThreads(threads)
    if torch := sys.modules.get("torch"):  # seconds to import: only where the stage's model is one of torch's
        torch.set_num_threads(threads)


def stage_log(storage: Storage, node: Node) -> CommitLog:
    """The commits of a stage's output."""
    return CommitLog(storage, f"stages/{node.name}/{node.fingerprint}")


def run_unit(work: StageWork, node: Node, unit: StageUnit) -> Outcome:
    """Run a unit, or find it done. Repeating one, here or elsewhere, changes nothing."""
    began = time.monotonic()
    log = stage_log(work.storage, node)
    parents = [_committed(work, name, unit.shard) for name in node.parents]
    inputs = {name: commit.digest for name, (_, commit) in zip(node.parents, parents, strict=True)}
    old = log.valid(unit.shard.id)
    if old is not None and old.inputs == inputs and not (unit.retry and failures(old)):
        return Outcome(old.records, old.quarantined, 0, 0.0, old.size)
    rows = read_rows(work.storage, work.plan_prefix, unit.shard)
    chunks = CommitLog(work.storage, f"{log.prefix}/chunks/{unit.shard.id}")
    with scratch_folder() as scratch:
        output = reusable(log, chunks, old, unit.retry, scratch)
        before = _spent(chunks) if node.stage.slow and unit.span is None else (0, 0.0)
        reading = Inputs(work.source, parents, frozenset(node.stage.reads), scratch)
        computed = _compute(node.stage, unit, rows, reading, output, partial(_keep, chunks, scratch, unit.retry))
        if unit.span is not None:
            return Outcome(len(output.fields), [], computed, time.monotonic() - began, 0)
        seconds = time.monotonic() - began
        facts = {
            "computed": before[0] + computed,
            "seconds": round(before[1] + seconds, 3),
            "versions": library_versions(),
        }
        commit = store(log, unit.shard.id, rows, output, scratch, inputs, facts)
    chunks.clear()
    return Outcome(commit.records, commit.quarantined, computed, seconds, commit.size)


def failures(commit: Commit) -> list[dict[str, str]]:
    """What a commit left out because it failed; what a filter left out is not among them."""
    return [entry for entry in commit.quarantined if entry["kind"] == "failed"]


def _committed(work: StageWork, stage: str, shard: Shard) -> tuple[CommitLog, Commit]:
    log = stage_log(work.storage, work.nodes[stage])
    commit = log.valid(shard.id)
    if commit is None:
        raise ShardError(f"shard {shard.id} has no output of stage '{stage}'; it was there when this run was planned")
    return log, commit


def reusable(log: CommitLog, chunks: CommitLog, old: Commit | None, retry: str, scratch: Path) -> Output:
    """What was computed before for a shard's rows: by an earlier commit on fewer inputs, by chunks of a broken unit.

    A fingerprint fixes every record's bytes, so an earlier output of the same fingerprint holds. Failures are taken
    over too, unless `retry` names a run that is to try them again and has not yet.
    """
    output = Output()
    if old is not None:
        output.add(_tried(load(log, old, scratch), old, retry))
    with suppress(MissingFile):  # another driver has finished this unit and takes its chunks away
        for commit in chunks.all().values():
            output.add(_tried(load(chunks, commit, scratch), commit, retry))
    return output


def _spent(chunks: CommitLog) -> tuple[int, float]:
    """What the chunks of a unit came to, by whichever workers: records computed, and seconds."""
    with suppress(MissingFile):
        made = [commit.facts for commit in chunks.all().values()]
        return sum(f.get("computed", 0) for f in made), sum(f.get("seconds", 0.0) for f in made)
    return 0, 0.0


def _tried(output: Output, commit: Commit, retry: str) -> Output:
    if retry and commit.facts.get("retry") != retry:
        output.quarantined = [entry for entry in output.quarantined if entry["kind"] != "failed"]
    return output


def _compute(
    stage: Stage[Any],
    unit: StageUnit,
    rows: Sequence[Row],
    reading: Inputs,
    output: Output,
    keep: Callable[[Sequence[Row], Output, float], None],
) -> int:
    """Run the stage on the rows that have no output yet; returns how many. Slow stages commit every 32 rows."""
    start, stop = unit.span or (0, len(rows))
    settled = output.settled
    todo = [row for row in rows[start:stop] if row.key not in settled]
    if unit.killer:
        entries = [quarantine(row, unit.stage, "the image killed its worker each time it was tried") for row in todo]
        killed = Output(quarantined=entries)
        keep(todo, killed, 0.0)
        output.add(killed)
        return 0
    in_chunks = stage.slow or unit.span is not None
    groups = list(_batched(todo, CHUNK if in_chunks else max(len(todo), 1)))
    computed = 0
    for group, records in zip(groups, reading.records(groups), strict=True):
        began, done = time.monotonic(), Output()
        by_key = {row.key: row for row in group}
        for batch in _batched(records, stage.batch_size):
            computed += len(batch)
            run_batch(stage, batch, by_key, done)
        if in_chunks:
            keep(group, done, time.monotonic() - began)
        output.add(done)
    return computed


def _keep(chunks: CommitLog, scratch: Path, retry: str, rows: Sequence[Row], done: Output, seconds: float) -> None:
    if rows:
        facts = {"retry": retry, "computed": len(rows), "seconds": seconds}
        store(chunks, f"{rows[0].key}-{rows[-1].key}", rows, done, scratch, {}, facts)


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
