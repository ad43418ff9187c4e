"""How a training stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sluice.flows.operate.trainings import LOSSES, TrainingFolder
from sluice.training.log import read_losses


@dataclass(frozen=True)
class TrainingStatus:
    """A training: `step` of `steps` (None where not known), its last figures, and what goes on with it if stopped."""

    folder: str
    what: str
    step: int
    steps: int | None
    figures: Mapping[str, float]
    state: Literal["running", "finished", "stopped"]
    kept: int | None
    left_out: int
    command: str | None


def training_status(training: TrainingFolder) -> TrainingStatus:
    """By its log, its checkpoints and its lock."""
    lines = read_losses(training.path / LOSSES)
    last = dict(lines[-1]) if lines else {}
    logged, kept = int(last.pop("step", 0)), max(training.checkpoints, default=None)
    finished, running = training.finished, training.held
    steps = training.steps
    own = training.recipe
    return TrainingStatus(
        str(training.path),
        training.path.name if training.is_part else " ".join(filter(None, (own["method"], own.get("control")))),
        max(logged, kept or 0, (finished and steps) or 0),
        steps,
        last,
        "finished" if finished else "running" if running else "stopped",
        kept,
        training.left_out,
        None if finished or running else training.command,
    )
