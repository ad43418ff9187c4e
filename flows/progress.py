"""What a run shows while it runs: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_SECONDS = 10.0


class BuildProgress:
    """Records and shards done by stage; `with` it, then `advance`."""

    def __init__(self, console: Console, totals: Mapping[str, int]) -> None:
        self.console = console
        self.totals = dict(totals)
        self.done = dict.fromkeys(totals, 0)
        self.began = time.monotonic()
        self.said = self.began
        self.bars = Progress(
            TextColumn("{task.description:>12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {n: self.bars.add_task(n, total=t, rate="") for n, t in totals.items()}

    def __enter__(self) -> BuildProgress:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def advance(self, stage: str, records: int) -> None:
        """So many more records of a stage are done."""
        self.done[stage] += records
        rate = self.done[stage] / max(time.monotonic() - self.began, 1e-9)
        self.bars.update(self.tasks[stage], advance=records, rate=f"{rate:.1f}/s")
        if not self.console.is_terminal:
            self._line(stage)

    def _line(self, stage: str) -> None:
        now = time.monotonic()
        if self.done[stage] < self.totals[stage] and now - self.said < LINE_SECONDS:
            return
        self.said = now
        seconds = now - self.began
        self.console.print(f"[{seconds:7.1f} s] {stage}: {self.done[stage]} of {self.totals[stage]} records")
