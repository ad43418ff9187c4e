"""That figures arrive where `--track` sends them, and that a resumed training's run goes on."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sluice.flows.training.trackers import MissingTracker, TensorBoard, TrackerName, tracker

SETTINGS = {"method": "controlnet", "learning_rate": 1e-3}
FIGURES = [(50, {"noise": 0.5, "images/s": 12.0}), (100, {"noise": 0.25, "images/s": 13.0})]


def test_tensorboard_has_every_figure_at_its_step(tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    for step, figures in FIGURES:
        board = TensorBoard(tmp_path, "controlnet", SETTINGS)
        board(step, figures)
        board.writer.close()
    seen = {}
    for file in (tmp_path / "tensorboard").glob("events*"):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            seen |= {(event.step, value.tag): value.simple_value for value in event.summary.value}
            data = data[16 + length :]
    told = {(step, name): value for step, figures in FIGURES for name, value in figures.items()}
    assert {of: value for of, value in seen.items() if of[0]} == told


def test_mlflow_has_one_run_of_a_resumed_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(f"file:{tmp_path / 'runs'}")
    for step, figures in FIGURES:
        tracker(TrackerName.mlflow, tmp_path, "controlnet", SETTINGS)(step, figures)
        mlflow.end_run()
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert run.data.params == {name: str(value) for name, value in SETTINGS.items()}
    assert client.get_run(run.info.run_id).data.metrics["images/s"] == 13.0
    assert [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "noise")] == [
        (50, 0.5),
        (100, 0.25),
    ]


def test_wandb_has_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for step, figures in FIGURES:
        tracker(TrackerName.wandb, tmp_path, "controlnet", SETTINGS)(step, figures)
        wandb.finish()
    files = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    until = time.monotonic() + 30
    while time.monotonic() < until and not all(b"noise" in file.read_bytes() for file in files):
        time.sleep(0.1)  # a process of its own writes them, and does so after `finish`
    assert len({file.stem for file in files}) == 1, "the second run has another id than the first"
    assert all(b"noise" in file.read_bytes() for file in files)


@pytest.mark.parametrize("name", list(TrackerName))
def test_a_missing_package_is_named(name: TrackerName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = {"tensorboard": "tensorboardX"}.get(name, name.value)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingTracker, match=f"--track {name} needs a package: `pip install {package}`"):
        tracker(name, tmp_path, "controlnet", SETTINGS)


def test_a_tracker_that_begins_no_run_says_why(tmp_path: Path) -> None:
    """In a process of its own: W&B remembers how it was begun."""
    begun = (
        "from pathlib import Path\n"
        "from sluice.flows.training.trackers import TrackerName, tracker\n"
        f"tracker(TrackerName.wandb, Path({str(tmp_path)!r}), 'controlnet', {{}})"
    )
    away = {"WANDB_API_KEY", "WANDB_MODE"}
    environment = {name: value for name, value in os.environ.items() if name not in away}
    environment |= {"WANDB_SILENT": "true", "NETRC": str(tmp_path / "nobody"), "HOME": str(tmp_path)}
    asked = [sys.executable, "-c", begun]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL)
    assert "TrackerRefused: --track wandb began no run (UsageError: No API key configured" in done.stderr
