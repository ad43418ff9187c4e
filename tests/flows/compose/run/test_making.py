"""What one process keeps loaded between jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import Tensor

from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.run import making
from sluice.flows.compose.run.batches import batches_of
from sluice.flows.compose.run.pictures import MadeOf, pictures_of
from sluice.flows.compose.tree.job import Job


class Crowded(Composer):
    """Has room for the models of one job."""

    jobs: ClassVar[WeakKeyDictionary[Parts, Job]] = WeakKeyDictionary()

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        if self.jobs.setdefault(self.parts, self.job) != self.job:
            torch.empty(2**46)
        return super().__call__(prompts, seeds)


def test_models_of_other_jobs_go_before_a_batch_is_halved(
    plain: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "Composer", Crowded)
    made_of = MadeOf(tmp_path)
    jobs = [Job.model_validate({**plain, "seeds": [0, 1], "batch": 2, "steps": steps}) for steps in (1, 2, 1)]
    make = making.Maker(tmp_path, "cpu")
    made = [own for job in jobs for batch in batches_of(list(pictures_of(job, made_of))) for own in make(batch)]
    assert len(made) == 6
    assert not any("batch" in own.noted for own in made)
