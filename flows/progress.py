"""What a run shows while it runs: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_SECONDS = 10.0


class BuildProgress:
    """Records and shards done by stage, records/s and time left; `with` it, then `advance`.

    `totals` are records and shards by stage.
    """

    def __init__(self, console: Console, totals: Mapping[str, tuple[int, int]]) -> None:
        self.console = console
        self.totals = dict(totals)
        self.done = dict.fromkeys(totals, (0, 0))
        self.began = time.monotonic()
        self.said = self.began
        self.bars = Progress(
            TextColumn("{task.description:>12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[about]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {
            stage: self.bars.add_task(stage, total=records, about=f"records, 0/{shards} shards")
            for stage, (records, shards) in totals.items()
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
        self.done[stage] = done = (before[0] + records, before[1] + shards)
        rate = done[0] / max(time.monotonic() - self.began, 1e-9)
        about = f"records, {done[1]}/{self.totals[stage][1]} shards, {rate:.1f} records/s"
        self.bars.update(self.tasks[stage], advance=records, about=about)
        if not self.console.is_terminal:
            self._line(stage, about)

    def _line(self, stage: str, about: str) -> None:
        now = time.monotonic()
        if self.done[stage] != self.totals[stage] and now - self.said < LINE_SECONDS:
            return
        self.said = now
        seconds = now - self.began
        self.console.print(f"[{seconds:7.1f} s] {stage}: {self.done[stage][0]} of {self.totals[stage][0]} {about}")
