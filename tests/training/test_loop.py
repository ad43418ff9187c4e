"""What the loop says of what goes wrong around it; that it resumes to the bit is seen through the command line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sluice.infra.storage import storage
from sluice.training.checkpoints import Checkpoints
from sluice.training.engine import CannotTrain
from sluice.training.loop import train
from sluice.training.recipe import Recipe


def test_memory_that_is_used_up_anywhere_is_explained(tmp_path: Path) -> None:
    def used_up() -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    length = {"steps": 1, "batch": 1, "micro_batch": 1, "learning_rate": 1e-4}
    recipe = Recipe.model_validate({"method": "controlnet", "control": "canny", **length})
    method: Any = SimpleNamespace(network=used_up)
    checkpoints = Checkpoints(storage(tmp_path), {})
    nothing: Any = None
    with pytest.raises(CannotTrain, match="lower `micro_batch`, set `gradient_checkpointing=true`"):
        train(method, recipe, nothing, 1, {}, checkpoints, nothing, nothing, nothing, nothing)
