"""What a run shows while it runs: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_SECONDS = 10.0
SPEED_SECONDS = 1000.0  # what the time left goes by: seconds an image are no news


class BuildProgress:
    """Records done by stage, records/s and time left, and in lines shards too; `with` it, then `advance`.

    `totals` are records and shards by stage. A stage's rate counts from its first result: before it, others ran.
    """

    def __init__(self, console: Console, totals: Mapping[str, tuple[int, int]]) -> None:
        self.console = console
        self.totals = dict(totals)
        self.done = dict.fromkeys(totals, (0, 0))
        self.first: dict[str, tuple[float, int]] = {}
        self.began = time.monotonic()
        self.said = self.began
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(16),
            MofNCompleteColumn(),
            TextColumn("{task.fields[about]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=SPEED_SECONDS,
        )
        self.tasks: dict[str, TaskID] = {
            stage: self.bars.add_task(stage, total=records, about="") for stage, (records, _) in totals.items()
        }

    def __enter__(self) -> BuildProgress:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def advance(self, stage: str, records: int, shards: int) -> None:
        """So many more records and whole shards of a stage are done."""
        before = self.done[stage]
        self.done[stage] = (before[0] + records, before[1] + shards)
        self.first.setdefault(stage, (time.monotonic(), self.done[stage][0]))
        rate = self._rate(stage)
        self.bars.update(self.tasks[stage], advance=records, about=rate)
        if not self.console.is_terminal:
            self._line(stage, rate)

    def _rate(self, stage: str) -> str:
        """Nothing before a second result."""
        began, not_timed = self.first[stage]
        timed, seconds = self.done[stage][0] - not_timed, time.monotonic() - began
        if not timed or not seconds:
            return ""
        rate = timed / seconds
        return f"{rate:.0f} records/s" if rate >= 10 else f"{rate:.2g} records/s"

    def _line(self, stage: str, rate: str) -> None:
        now = time.monotonic()
        if self.done[stage] != self.totals[stage] and now - self.said < LINE_SECONDS:
            return
        self.said = now
        records, shards = self.done[stage]
        all_records, all_shards = self.totals[stage]
        self.console.print(
            f"[{now - self.began:7.1f} s] {stage}: {records} of {all_records} records, {shards}/{all_shards} shards"
            + (f", {rate}" if rate else "")
        )
