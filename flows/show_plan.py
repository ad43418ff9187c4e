"""What `sluice dataset plan` prints: what would run and why, and what it would cost."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from sluice.preprocess.planning.batches import propose
from sluice.preprocess.planning.build import Build
from sluice.preprocess.planning.forecast import StagePlan


def show_plan(build: Build, stages: Sequence[StagePlan], shards: int) -> Iterator[str | Table]:
    """The plan's first `shards` shards, part by part."""
    yield _summary(build, shards)
    yield _table(stages)
    yield from (f"[yellow]{escape(f'{stage.name}: {note}')}[/]" for stage in stages for note in stage.notes)
    yield from (f"[yellow]{escape(line)}[/]" for line in build.left_out)
    yield _cost(stages)


def _summary(build: Build, shards: int) -> str:
    plan, change = build.plan, build.change
    gone = f"; {len(change.gone)} gone from the source (kept until --prune)" if change.gone else ""
    limited = f"; the first {shards} shards only" if shards < len(plan.shards) else ""
    return (
        f"{build.config.name}: {plan.images} images ({len(change.unread)} files read now), {plan.records} records in "
        f"{len(plan.shards)} shards, {plan.duplicates} duplicates, {len(plan.unreadable)} unreadable{gone}{limited}"
    )


def _table(stages: Sequence[StagePlan]) -> Table:
    table = Table("stage", "model", "runs", "cached", "why", "time", "bytes", box=None, pad_edge=False)
    for stage in stages:
        about = "" if stage.measured else " (assumed)"
        table.add_row(
            stage.name,
            stage.model,
            f"{stage.run_records} records, {stage.run_shards} shards" if stage.run_shards else "-",
            f"{stage.cached_shards} shards",
            stage.reason,
            f"{_duration(stage.seconds)}{about}" if stage.run_shards else "",
            size_text(stage.bytes) if stage.run_shards else "",
        )
    return table


def _cost(stages: Sequence[StagePlan]) -> str:
    seconds, size = sum(s.seconds for s in stages), sum(s.bytes for s in stages)
    if not any(s.run_shards for s in stages):
        return "Nothing to run."
    return f"In all about {_duration(seconds)} of one worker and {size_text(size)} of stage output."


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


def size_text(size: float) -> str:
    """A number of bytes with a unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def propose_batches(build: Build) -> Iterator[str]:
    """A batch size for each learned stage, from the memory that it takes here; slow, for each is run."""
    side = next((n.stage.parameters.size for n in build.nodes if n.name == "image"), 512)
    for node in build.nodes:
        proposal = propose(node, side, build.config.workers or os.cpu_count() or 1)
        if proposal is not None:
            yield str(proposal)
