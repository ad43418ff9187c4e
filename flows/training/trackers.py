"""Where a training's figures go beside its own log: TensorBoard's files, an MLflow or a W&B run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from sluice.infra.errors import SluiceError
from sluice.infra.whole import write_whole


class TrackerName(StrEnum):
    """What `--track` may be."""

    tensorboard = "tensorboard"
    mlflow = "mlflow"
    wandb = "wandb"


class MissingTracker(SluiceError):
    """The package of a tracker is not installed."""


class TrackerRefused(SluiceError):
    """A tracker began no run, for want of a login or of its server."""


class Tracker(Protocol):
    """Told of a step's figures."""

    def __call__(self, step: int, figures: Mapping[str, float]) -> None: ...


def tracker(name: TrackerName, out: Path, title: str, settings: Mapping[str, Any]) -> Tracker:
    """A tracker for the training in `out`, whose run goes on where that does.

    A new run is called `title` and told `settings`. Raises MissingTracker, TrackerRefused.
    """
    made: dict[TrackerName, Callable[..., Tracker]] = {
        TrackerName.tensorboard: TensorBoard,
        TrackerName.mlflow: MLflow,
        TrackerName.wandb: WeightsAndBiases,
    }
    try:
        return made[name](out, title, settings)
    except ImportError as error:
        raise MissingTracker(f"--track {name} needs a package: `pip install {error.name}`") from error
    except Exception as error:  # of classes of its package's own
        raise TrackerRefused(
            f"--track {name} began no run ({type(error).__name__}: {error}): log in, or say where by its own "
            "environment (docs/training.md), or train without it"
        ) from error


class TensorBoard:
    """Event files in `OUT/tensorboard`."""

    def __init__(self, out: Path, title: str, settings: Mapping[str, Any]) -> None:
        from tensorboardX import SummaryWriter

        # Its own file names have seconds, and its thread writes every two minutes.
        self.writer: Any = SummaryWriter(str(out / "tensorboard"), filename_suffix=f".{time.time_ns()}", flush_secs=5)
        self.writer.add_text(title, "\n\n".join(f"{name}: {value}" for name, value in settings.items()), 0)

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)


class MLflow:
    """A run of MLflow, where its own environment says (`MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`)."""

    def __init__(self, out: Path, title: str, settings: Mapping[str, Any]) -> None:
        import mlflow

        kept = out / "mlflow-run"
        run = mlflow.start_run(run_id=kept.read_text() if kept.exists() else None, run_name=title)
        if not kept.exists():
            mlflow.log_params(dict(settings))
            write_whole(kept, run.info.run_id)
        self.log: Any = mlflow.log_metrics

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        self.log(dict(figures), step=step)


class WeightsAndBiases:
    """A run of W&B, where its own environment says (`WANDB_PROJECT`, `WANDB_MODE`)."""

    def __init__(self, out: Path, title: str, settings: Mapping[str, Any]) -> None:
        import wandb

        kept = out / "wandb-run"
        known = kept.read_text() if kept.exists() else None
        self.run: Any = wandb.init(id=known, resume="allow", dir=str(out), name=title, config=dict(settings))
        write_whole(kept, self.run.id)

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        self.run.log(dict(figures), step=step)
