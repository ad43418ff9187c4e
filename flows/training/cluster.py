"""A training on a Ray cluster: Ray Train starts the processes and starts them again; each runs the loop as anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice.flows.session import ray_session
from sluice.infra.errors import SluiceError
from sluice.training.engine import backend

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
        from ray.train.torch import TorchConfig

        gpus = ray.cluster_resources().get("GPU", 0) >= processes  # type: ignore[no-untyped-call]
        own = address is None and "RAY_ADDRESS" not in os.environ
        made = trainer(own)(
            _in_process,
            train_loop_config={"train": train, "folder": os.getcwd()},
            scaling_config=ScalingConfig(num_workers=processes, use_gpu=gpus),
            torch_config=TorchConfig(backend=backend(gpus)),
            run_config=RunConfig(
                storage_path=str((out / "ray").absolute()), failure_config=FailureConfig(max_failures=RESTARTS)
            ),
        )
        failed = made.fit().return_value
    if failed:
        raise FailedTraining(failed)


def trainer(own: bool) -> Any:
    """Ray Train's, in a Ray of one's own without what tidies up after a driver: such a Ray ends with its driver.

    It asks the dashboard every second whether the driver lives. Where there is none it says so each time, or asks
    whichever Ray of this machine began last.
    """
    from ray.train.torch import TorchTrainer
    from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback

    class WithoutCleaner(TorchTrainer):
        def _create_default_callbacks(self) -> list[Any]:
            made: list[Any] = super()._create_default_callbacks()  # type: ignore[misc]
            return [callback for callback in made if not isinstance(callback, PlacementGroupCleanerCallback)]

    return WithoutCleaner if own else TorchTrainer


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
