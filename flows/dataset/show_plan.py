"""What `sluice dataset plan` prints: what would run and why, and what it would cost."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.table import Column, Table
from rich.text import Text

from sluice.preprocess.planning.batches import SEVERAL, has_batches, propose
from sluice.preprocess.planning.build import Build
from sluice.preprocess.planning.forecast import StagePlan

ROUGH = " Rough times are those of a laptop's core with nothing else to do; a busy one takes three times as long."


def show_plan(build: Build, stages: Sequence[StagePlan], shards: int) -> Iterator[str | Text | Table]:
    """The plan's first `shards` shards, part by part."""
    yield _summary(build, shards)
    yield _table(stages)
    yield from (Text(line, "yellow") for line in warnings(build))
    yield _cost(stages)


def warnings(build: Build) -> Iterator[str]:
    """What a user should know of the stages of a build, each note once, and what was left out of it."""
    stages: dict[str, list[str]] = defaultdict(list)
    for node in build.nodes:
        for note in node.notes:
            stages[note].append(node.name)
    yield from (f"{', '.join(names)}: {note}" for note, names in stages.items())
    yield from build.left_out


def _summary(build: Build, shards: int) -> str:
    plan, change = build.plan, build.change
    gone = f"; {len(change.gone)} gone from the source (kept until --prune)" if change.gone else ""
    first = "first shard" if shards == 1 else f"first {shards} shards"
    limited = f"; the {first} only" if shards < len(plan.shards) else ""
    return (
        f"{build.config.name}: {_count(plan.images, 'image')} ({_count(len(change.unread), 'file')} read now), "
        f"{_count(plan.records, 'record')} in {_count(len(plan.shards), 'shard')}, "
        f"{_count(plan.duplicates, 'duplicate')}, {len(plan.unreadable)} unreadable{gone}{limited}"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _table(stages: Sequence[StagePlan]) -> Table:
    # Of a narrow terminal's lines, the reasons are what may be folded.
    names = [Column(name, no_wrap=True, overflow="fold") for name in ("stage", "model")]
    table = Table(*names, "runs", "cached", Column("why", ratio=1), "time", "bytes", box=None, pad_edge=False)
    for stage in stages:
        about = "" if stage.measured else " (rough)"
        table.add_row(
            stage.name,
            stage.model,
            f"{_count(stage.run_records, 'record')}, {_count(stage.run_shards, 'shard')}" if stage.run_shards else "-",
            _count(stage.cached_shards, "shard"),
            stage.reason,
            f"{_duration(stage.seconds)}{about}" if stage.run_shards else "",
            size_text(stage.bytes) if stage.run_shards else "",
        )
    return table


def _cost(stages: Sequence[StagePlan]) -> str:
    seconds, size = sum(s.seconds for s in stages), sum(s.bytes for s in stages)
    if not any(s.run_shards for s in stages):
        return "Nothing to run."
    rough = any(s.run_shards and not s.measured for s in stages)
    return f"In all about {_duration(seconds)} of one worker and {size_text(size)} of stage output." + (
        ROUGH if rough else ""
    )


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
    """A batch size for each stage whose model takes several images, from the memory that it takes here.

    Slow, for each is run: so its name comes before its proposal.
    """
    side = next((n.stage.parameters.size for n in build.nodes if n.name == "image"), 512)
    for node in filter(has_batches, build.nodes):
        yield f"{node.name}: measuring batches of 1 and {SEVERAL} images ..."
        yield str(propose(node, side, build.config.workers or os.cpu_count() or 1))
