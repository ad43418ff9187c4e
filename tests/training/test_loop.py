"""What the loop says of what goes wrong around it; that it resumes to the bit is seen through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
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


MEANS = """
import torch.distributed as dist
from sluice.training.loop import _mean_over_processes
dist.init_process_group("gloo")
own = {"learning rate": 1.0} if dist.get_rank() else {"learning rate": 1.0, "loss": 4.0, "noise": 2.0}
assert _mean_over_processes(own) == {"learning rate": 1.0, "loss": 2.0, "noise": 1.0}
dist.destroy_process_group()  # whose threads crash now and then where the interpreter ends under them
"""


@pytest.mark.slow
def test_a_process_whose_batches_were_all_left_out_has_no_loss_and_hinders_no_mean(tmp_path: Path) -> None:
    (tmp_path / "means.py").write_text(MEANS)
    asked = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*asked, str(tmp_path / "means.py")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
