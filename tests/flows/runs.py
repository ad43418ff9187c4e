"""Runs to disturb: the command line in processes of its own, what is left of them, and what must hold at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml

from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.units.work import CHUNK
from tests.flows.conftest import config_for, tree, write_pictures

SLUICE = Path(sys.executable).with_name("sluice")
MARK = "SLUICE_TEST_DRIVER"
# They ask for a minute whether the head is really gone, then end by themselves.
RAY_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
SHARD = 2 * CHUNK


def patient_config(folder: Path, seconds: float, out: str = "out", shards: int = 2, **values: Any) -> DatasetConfig:
    """Shards of two chunks, run by two workers through a stage as slow as asked for, which writes `journal`."""
    if not (folder / "in").exists():
        write_pictures(folder / "in", range(shards * SHARD), 48)
    patient = {"seconds": seconds, "journal": str(folder / "journal")}
    stages = {"image": {"size": 32, "min_side": 16}, "patient": patient}
    return config_for(folder / "in", folder / out, stages=stages, **{"workers": 2, "shard_size": SHARD, **values})


class Journal:
    """What the patient stage wrote down: a key for each image run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def keys(self) -> list[str]:
        return self.path.read_text().split() if self.path.exists() else []

    @property
    def redone(self) -> int:
        """How many images were run again."""
        return sum(count - 1 for count in Counter(self.keys).values())

    def begin(self) -> None:
        """Forget what other runs wrote."""
        self.path.unlink(missing_ok=True)


class Command:
    """`sluice` with some words in a session of its own, as in a terminal; what it says is kept in `folder`."""

    def __init__(self, words: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self.log = folder / f"{self.mark}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [SLUICE, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {}), MARK: self.mark},
                start_new_session=True,
            )

    def until(self, reached: Callable[[], bool], timeout_s: float = 240) -> bool:
        """Wait for a moment of the run; False where the run has ended before it."""
        return all(self.process.poll() is None for _ in wait_until(reached, timeout_s, self.log))

    def kill(self) -> None:
        """SIGKILL to the driver alone."""
        self.process.kill()
        self.process.wait()

    def press_ctrl_c(self) -> None:
        """SIGINT to the driver and all that a terminal would send it to."""
        os.killpg(self.process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM to the driver alone, as Slurm, Kubernetes and `kill` send it."""
        self.process.terminate()

    def end(self, timeout_s: float = 240) -> tuple[int, str]:
        """Its exit code and all that it said."""
        return self.process.wait(timeout_s), self.log.read_text()

    def family(self) -> list[psutil.Process]:
        """All living processes that descend from the driver, the driver dead or not."""
        return [p for p in psutil.process_iter() if p.pid != self.process.pid and self._is_of_us(p)]

    def _is_of_us(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            # Ray's processes rename themselves over their environment; Prefect's server has a session of its own.
            return os.getsid(process.pid) == self.process.pid or process.environ().get(MARK) == self.mark
        except (psutil.Error, OSError):
            return False

    def left_behind(self, timeout_s: float, but: Iterable[str] = ()) -> list[str]:
        """The command lines of its processes that are still there when the time is over."""
        ends = time.monotonic() + timeout_s
        while left := [c for c in map(command_line, self.family()) if c and not c.startswith(tuple(but))]:
            if time.monotonic() > ends:
                return left
            time.sleep(0.2)
        return []

    def clear(self) -> None:
        """End whatever is left of it."""
        self.kill()
        for process in self.family():
            process.kill()


class Driver(Command):
    """`sluice dataset build`."""

    def __init__(self, config: DatasetConfig, folder: Path) -> None:
        file = folder / f"{uuid.uuid4().hex}.yaml"
        file.write_text(yaml.safe_dump(config.model_dump(mode="json")))
        super().__init__(["dataset", "build", "--config", file], folder)


def command_line(process: psutil.Process) -> str:
    """As one text; empty where the process is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def wait_until(reached: Callable[[], bool], timeout_s: float, about: object) -> Iterator[None]:
    """Yields until the moment is reached."""
    ends = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < ends, f"not reached within {timeout_s:g} s: {about}"
        yield
        time.sleep(0.003)


def working() -> list[psutil.Process]:
    """The Ray workers of this process that run something now."""
    found = []
    for process in psutil.Process().children(recursive=True):
        if command_line(process).startswith("ray::_Worker.run"):
            found.append(process)
    return found


def assert_nothing_half(out: Path, undisturbed: dict[str, str]) -> None:
    """Whatever a reader can see is whole, and every commit has its files; `undisturbed` is the tree of a whole run."""
    visible = tree(out)
    assert {path: undisturbed.get(path) for path in visible} == visible
    for commit_file in (path for path in (out / "stages").rglob("*.json") if "chunks" not in path.parts):
        commit = json.loads(commit_file.read_text())
        assert hashlib.sha256((commit_file.parent / commit["file"]).read_bytes()).hexdigest() == commit["digest"]
        assert (commit_file.parent / commit["sidecar"]).exists()
    for tar in (out / "stages").rglob("chunks/**/*.tar"):
        try:
            digest = hashlib.sha256(tar.read_bytes()).hexdigest()
        except FileNotFoundError:
            continue  # its unit is done, and a worker that outlives the driver by a second takes it away
        assert tar.stem.endswith(digest[:16])
