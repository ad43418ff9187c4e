"""What a run says while it makes pictures."""

from __future__ import annotations

import time

from rich.console import Console

from sluice.flows.compose.run.work import Report

LINE_SECONDS = 5.0


class Said:
    """Pictures done of `total`, at most a line in five seconds; and, once each, what a user should know of them."""

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total, self.done = console, total, 0
        self.began = self.last = time.monotonic()
        self.cut: set[str] = set()
        self.size: int | None = None

    def report(self, report: Report, whole: bool = True) -> None:
        """Of a batch that is done, or of a part of one."""
        self._warn(report)
        if whole:
            self.done += report.done
            self._count()

    def _warn(self, report: Report) -> None:
        for told in report.cut:
            if told not in self.cut:
                self.cut.add(told)
                self._mark(f"this text is longer than its model reads, and was cut: {told}")
        for name, left_out in report.left_out.items():
            self._mark(f"left out of {name} where they had no finite gradient: {left_out}")
        if report.size is not None and (self.size is None or report.size < self.size):
            self.size = report.size
            self._mark(f"memory holds {report.size} at once, fewer than the job's `batch`: this is in their .json")

    def _mark(self, told: str) -> None:
        self.console.print(told, style="yellow")

    def _count(self) -> None:
        now = time.monotonic()
        if self.done < self.total and now - self.last < LINE_SECONDS:
            return
        self.last = now
        left = (now - self.began) / self.done * (self.total - self.done)
        ahead = f", some {_duration(left)} left" if self.done < self.total else ""
        self.console.print(f"{self.done} of {self.total} pictures{ahead}")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
