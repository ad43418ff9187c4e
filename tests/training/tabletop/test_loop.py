"""That a training that was stopped, by whatever, ends as one that was not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from sluice.training.tabletop import loop
from sluice.training.tabletop.autoencoder import Autoencoder
from sluice.training.tabletop.judges import Judges
from sluice.training.tabletop.loop import DamagedCheckpoint, Diverged, Training, rate
from sluice.training.tabletop.recipe import Recipe
from sluice.training.tabletop.scenes import Scenes

STEPS = 12
CPU = torch.device("cpu")


class Shared(Autoencoder):
    """Differentiated a sample to a thread."""

    share = 1


def part() -> Autoencoder:
    return Autoencoder(Scenes(size=16), Recipe(steps=STEPS, batch=2, learning_rate=1e-3, warm_up=4))


def in_threads() -> Autoencoder:
    return Shared(Scenes(size=16), Recipe(steps=STEPS, batch=2, learning_rate=1e-3, warm_up=4, muon=0.02))


def quiet(*_: object) -> None:
    """A report that nobody reads."""


def train(folder: Path, of: Autoencoder) -> dict[str, torch.Tensor]:
    return Training(of, folder, folder, 0, CPU).run(quiet).state_dict()


@pytest.fixture(autouse=True)
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 5)


class Blind(Autoencoder):
    """Of whose loss the fourth is no number."""

    def losses(self, network: Any, batch: Any, draws: Any) -> dict[str, torch.Tensor]:
        found = super().losses(network, batch, draws)
        return {"loss": found["loss"] * (torch.nan if draws.step == 3 else 1)}


def test_a_loss_that_is_no_number_ends_a_training_and_moves_no_weight(tmp_path: Path) -> None:
    training = Training(Blind(part().scenes, part().recipe), tmp_path, tmp_path, 0, CPU)
    with pytest.raises(Diverged, match=r"losses of vae at step 3 are no numbers"):
        training.run(quiet)
    assert all(value.isfinite().all() for value in training.average.state_dict().values())


@pytest.mark.parametrize(("stop", "make"), [(3, part), (5, part), (7, part), (4, in_threads)])
def test_a_resumed_training_ends_as_an_uninterrupted_one(
    tmp_path: Path, stop: int, make: Callable[[], Autoencoder]
) -> None:
    whole = train(tmp_path / "whole", make())

    stopped = Training(make(), tmp_path / "cut", tmp_path / "cut", 0, CPU)
    for batch in stopped._batches():
        stopped._train(batch)
        if stopped.step % loop.LOG_STEPS == 0:
            stopped._log(quiet)
        if stopped.step == stop:
            break
    stopped.keep()
    resumed = train(tmp_path / "cut", make())
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    logs = [(tmp_path / name / "losses.jsonl").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    assert [json.loads(line)["step"] for line in logs[0].splitlines()] == [5, 10]


def test_the_average_has_the_statistics_of_batch_norms(tmp_path: Path) -> None:
    judges = Judges(Scenes(size=16), Recipe(steps=3, batch=2, learning_rate=1e-3, warm_up=2))
    training = Training(judges, tmp_path, tmp_path, 0, CPU)
    before = dict(deepcopy(training.network).named_buffers())
    averaged = dict(training.run(quiet).named_buffers())
    trained = dict(training.network.named_buffers())
    assert trained
    assert all(torch.equal(averaged[name], trained[name]) for name in trained)
    assert not any(torch.equal(before[name], trained[name]) for name in trained)


SCRIPT = """
import sys, time, torch
from pathlib import Path
from sluice.training.tabletop import loop
from sluice.training.tabletop.autoencoder import Autoencoder
from sluice.training.tabletop.recipe import Recipe
from sluice.training.tabletop.scenes import Scenes
loop.LOG_STEPS, loop.CHECKPOINT_SECONDS = 5, 0.2
part = Autoencoder(Scenes(size=16), Recipe(steps=400, batch=2, learning_rate=1e-3, warm_up=4))
folder = Path(sys.argv[1])
training = loop.Training(part, folder, folder, 0, torch.device("cpu"))
print("from", training.step, flush=True)
training.run(lambda step, losses: (print(step, flush=True), time.sleep(float(sys.argv[2]))))
torch.save(training.average.state_dict(), folder / "trained.pt")
"""


@pytest.mark.slow
def test_kills_and_interrupts_cost_no_bit(tmp_path: Path) -> None:
    def start(name: str, pause: float = 0.0) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / name), str(pause)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    assert start("whole").wait() == 0
    starts = []
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        run = start("cut", pause=0.1)  # at full speed it may be at its end before the signal
        assert run.stdout is not None
        starts.append(int(run.stdout.readline().split()[1]))
        for _ in range(6):
            run.stdout.readline()
        time.sleep(0.05)
        run.send_signal(number)
        assert run.wait() != 0
    assert starts == sorted(set(starts)), "no run got further than the one before it"
    assert start("cut").wait() == 0
    whole, cut = (torch.load(tmp_path / name / "trained.pt", weights_only=True) for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = Recipe(steps=100, batch=1, learning_rate=1.0, warm_up=10)
    rates = [rate(step, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert max(rates) == pytest.approx(1.0, abs=0.03)
    assert rates.index(max(rates)) == 9
    assert rates[-1] == pytest.approx(loop.FINAL_RATE, abs=0.01)


def test_a_checkpoint_that_is_none_says_what_to_remove(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"\x80junk" * 40)
    with pytest.raises(DamagedCheckpoint, match=rf"checkpoint.pt is no checkpoint of vae; remove {tmp_path}"):
        loop.Training(part(), tmp_path, tmp_path, 0, torch.device("cpu"))
