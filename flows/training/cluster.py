"""A training on a Ray cluster: Ray Train starts the processes and starts them again; each runs the loop as anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice.flows.session import ray_session
from sluice.infra.errors import SluiceError

RESTARTS = 3


class FailedTraining(SluiceError):
    """A process ended a training by an error of its own."""

    exit_code = 1


def train_on_ray(train: Callable[[Console], object], out: Path, processes: int, address: str | None) -> None:
    """Run `train` in so many processes of a cluster, or of this machine, with a GPU each where there are as many.

    When a process dies all are started again, three times at most, and go on from the last checkpoint; `out` and the
    working directory are to be the same everywhere. Raises NoCluster, FailedTraining.
    """
    with ray_session(address, processes, says=True):
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        gpus = ray.cluster_resources().get("GPU", 0)  # type: ignore[no-untyped-call]
        trainer: Any = TorchTrainer(
            _in_process,  # type: ignore[arg-type]
            train_loop_config={"train": train, "folder": os.getcwd()},
            scaling_config=ScalingConfig(num_workers=processes, use_gpu=gpus >= processes),
            run_config=RunConfig(
                storage_path=str((out / "ray").absolute()), failure_config=FailureConfig(max_failures=RESTARTS)
            ),
        )
        failed = trainer.fit().return_value
    if failed:
        raise FailedTraining(failed)


def _in_process(asked: dict[str, object]) -> str:
    """What an error says, else nothing: one of ours would come again, and is no cause to start anew."""
    train = asked["train"]
    assert callable(train)
    os.chdir(str(asked["folder"]))
    try:
        train(Console(soft_wrap=True, highlight=False))
    except SluiceError as error:
        return str(error)
    return ""
