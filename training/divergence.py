"""A training that has left what floating point can hold: when it is one, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch.distributed as dist

from sluice.infra.errors import SluiceError
from sluice.training.checkpoints import Checkpoints
from sluice.training.progress import Progress

MOST_SKIPPED = 20


class Diverged(SluiceError):
    """Too many losses or gradients were not finite; `keys` are the records of these batches."""

    exit_code = 1

    def __init__(self, message: str, keys: Sequence[str]) -> None:
        super().__init__(message)
        self.keys = keys


def ends_diverged(progress: Progress, figures: Mapping[str, float]) -> bool:
    """Whether it ends in steps that were left out, more than the one a bad record costs, or validates as no number."""
    return progress.in_a_row > 1 or not all(map(math.isfinite, figures.values()))


def is_finite(state: Mapping[str, Any]) -> bool:
    """Whether every weight of an engine's state is a number."""
    return all(bool(weight.isfinite().all()) for weight in state["network"].values())


def diverged(progress: Progress, checkpoints: Checkpoints) -> Diverged:
    """What is raised, of the batches that any process left out; all of them call it."""
    everywhere: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everywhere, progress.skipped_keys)
    if progress.skipped:
        batches = f"{progress.skipped} batches" if progress.skipped > 1 else "one batch"
        found = f"{batches} had a loss or a gradient that is not finite, the last at step {progress.step - 1}"
        mend = "Lower `learning_rate` (with an --out of its own), or look at the records that were left out"
    else:
        found = f"after step {progress.step - 1} its weights, or its loss on held-out records, are not finite"
        mend = "Lower `learning_rate`, with an --out of its own"
    last = checkpoints.last_step()
    kept = (
        f"The last checkpoint is from before it, after step {last}" if last else "There is no checkpoint from before it"
    )
    keys = sorted({key for keys in everywhere for key in keys})
    return Diverged(f"this training diverged: {found}. {mend}. {kept}", keys)
