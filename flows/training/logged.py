"""What a training says while it goes on: its log, its page, trackers and metrics."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console

from sluice.flows.observe.page import REFRESH_SECONDS, running, why
from sluice.flows.training.page import write_page
from sluice.flows.training.trackers import Tracker
from sluice.infra.metrics import TRAINING
from sluice.infra.page.blocks import Notice
from sluice.training.log import read_losses, write_losses
from sluice.training.recipe import Recipe

LOSSES = "losses.jsonl"


def is_first() -> bool:
    """Whether this is the one of several processes that writes."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class TrainingLog:
    """Losses as JSON lines, said, on the page, and given to trackers; `with` it, the page tells what went wrong."""

    out: Path
    recipe: Recipe
    data: Sequence[str]
    steps: int
    console: Console
    trackers: Sequence[Tracker]

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        file = self.out / LOSSES
        before = [line for line in read_losses(file) if line["step"] < step]  # a killed run had logged later steps
        lines = [*before, {"step": step, **figures}]
        write_losses(file, lines)
        over = step == self.steps
        self._show(lines, [] if over else [running()], None if over else REFRESH_SECONDS)
        for name, value in {"step": step, **figures}.items():
            TRAINING.labels(name).set(value)
        for tracked in self.trackers:
            tracked(step, figures)
        self._say(step, figures)

    def __enter__(self) -> None: ...

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """Show on the page, first, why it goes on no more."""
        if error is not None and is_first():
            self._show(read_losses(self.out / LOSSES), [why(error)])

    def _show(
        self, lines: Sequence[Mapping[str, float]], notices: Sequence[Notice], refresh: float | None = None
    ) -> None:
        write_page(self.out, self.recipe, self.data, lines, notices, refresh)

    def _say(self, step: int, figures: Mapping[str, float]) -> None:
        left = (self.steps - step) * self.recipe.batch / figures["images/s"] / 60
        told = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.console.print(f"step {step} of {self.steps}, {told}; {left:.0f} min left")
