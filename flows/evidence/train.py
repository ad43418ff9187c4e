"""`sluice train evidence`: the data sets built and the networks trained, each by the command that a user would type."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sluice.flows.configs import find_config
from sluice.flows.dataset.build import run_build
from sluice.flows.evidence.networks import Evidence, Network, Scenes
from sluice.flows.training.card import CARD
from sluice.infra.errors import SluiceError
from sluice.preprocess.planning.config import load_config

PARTS = ("local", "global")
"""What a network that begins from two takes, one of each."""


class FailedTraining(SluiceError):
    """A network's training ended by an error, which it has told."""

    exit_code = 1


@dataclass(frozen=True)
class EvidenceTraining:
    """Into `out`: data sets to `data`, a folder for every network to `networks`.

    `base` is what they control, `processes` how many train together; `settings` are over every recipe's, `engine`
    is a file of DeepSpeed's own.
    """

    evidence: Evidence
    out: Path
    base: str
    processes: int
    settings: Sequence[str]
    engine: Path
    console: Console

    def __call__(self, only: Sequence[str] = ()) -> None:
        """Train what is not trained, or `only` some with what they begin from. Raises ConfigError, FailedTraining."""
        for name, network in self.evidence.chosen(only).items():
            if (self._model(name) / CARD).exists():
                self.console.print(f"{name}: trained already ({self._model(name)})")
                continue
            for data in network.data:
                self._build(data, self.evidence.data[data])
            self._train(name, network)

    def command(self, name: str, network: Network) -> list[str]:
        """What trains a network, by torchrun where several processes do."""
        settings = {"base": self.base, **network.set}
        if network.begin:
            settings["begin"] = str(self._begin(name, network.begin))
        given = [f"{key}={value}" for key, value in settings.items()]
        data = [part for own in network.data for part in ("--data", str(self._data / "datasets" / own))]
        asked = [network.recipe, *data, "--out", str(self.out / "networks" / name), "--engine", str(self.engine)]
        return [*_launched(self.processes), "train", *asked, *_each("--set", [*given, *self.settings])]

    @property
    def _data(self) -> Path:
        return self.out / "data"

    def _model(self, name: str) -> Path:
        return self.out / "networks" / name / "model"

    def _build(self, name: str, of: Scenes) -> None:
        settings = [
            f"name={name}",
            f"source.law={of.law}",
            "export=never",
            *(f"stages.{own}={{}}" for own in of.stages),
        ]
        ready = find_config(Path("tabletop"))
        run_build(load_config(ready, settings, f"tabletop:{of.scenes}", str(self._data)), self.console)

    def _train(self, name: str, network: Network) -> None:
        if len(network.begin) > 1:
            self._join(name, network.begin)
        command = self.command(name, network)
        self.console.print(f"{name}: {shlex.join(command)}")
        environment = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.processes)), **os.environ}
        if subprocess.run(command, check=False, env=environment).returncode:
            raise FailedTraining(f"{name} was not trained: see above. The same command goes on where it stopped.")

    def _begin(self, name: str, before: Sequence[str]) -> Path:
        """What a network begins from: another one, or of two a folder with the part of each."""
        return self._model(before[0]) if len(before) == 1 else self.out / "networks" / name / "begin"

    def _join(self, name: str, before: Sequence[str]) -> None:
        for part, own in zip(PARTS, before, strict=True):
            shutil.copytree(self._model(own) / part, self._begin(name, before) / part, dirs_exist_ok=True)


def _launched(processes: int) -> list[str]:
    sluice = str(Path(sys.executable).with_name("sluice"))
    if processes == 1:
        return [sluice]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [*torchrun, "--no-python", sluice]


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (option, value)]
