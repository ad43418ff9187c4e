"""The job for Slurm: its directives, its words by their own parsers, and how it ends when it is warned."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser
from typer.testing import CliRunner

from sluice.flows.cli import app

ROOT = Path(__file__).parents[2]
JOB = ROOT / "infra/slurm/train.sbatch"
DIRECTIVES = {
    "job-name": r"=\w+",
    "nodes": r"=\d+",
    "ntasks-per-node": r"=\d+",
    "gpus-per-node": r"=\d+",
    "exclusive": "",
    "mem": "=0",
    "requeue": "",
    "signal": r"=B:TERM@(?P<warning>\d+)",
    "open-mode": "=append",
}
"""Those in use, as sbatch (22.05) takes them: it comes in no package that pip knows."""


class Slurm:
    """A node on which `torchrun` does as it is told to, and `scontrol` notes what is asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, torchrun: str, *words: str) -> subprocess.Popen[bytes]:
        """The job, in which torchrun is a script."""
        for name, script in {"torchrun": torchrun, "scontrol": f'echo "$*" > {self.folder}/asked'}.items():
            (self.folder / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
            (self.folder / name).chmod(0o755)
        own = {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "4"}
        return subprocess.Popen(["bash", JOB, *words], env={**os.environ, **own})

    def asked(self) -> str:
        """The last request to the controller."""
        file = self.folder / "asked"
        return file.read_text().strip() if file.exists() else ""


@pytest.fixture
def slurm(tmp_path: Path) -> Slurm:
    return Slurm(tmp_path)


def directives() -> dict[str, re.Match[str] | None]:
    given = re.findall(r"^#SBATCH --([\w-]+)(.*)$", JOB.read_text(), re.MULTILINE)
    return {name: re.fullmatch(DIRECTIVES[name], value) for name, value in given}


def test_the_whole_node_is_asked_for() -> None:
    assert all(directives().values())
    assert {"exclusive", "mem"} <= directives().keys()  # one CPU of the node, and little of its memory, unless said


def test_torchrun_and_sluice_take_their_words(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    training = ["micontrolnet-1", "--data", "s3://team/sluice/datasets/team", "--out", "/weights/one"]
    assert slurm.run(f'printf "%s\\n" "$@" > {slurm.folder}/words', *training).wait() == 0
    asked = get_args_parser().parse_args((slurm.folder / "words").read_text().splitlines())
    assert (asked.nproc_per_node, asked.no_python, asked.training_script) == ("4", True, "sluice")
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, [*asked.training_script_args, "--set", "batch=0"])
    assert "batch" in str(done.exception)  # every option and file before it was taken
    warning = directives()["signal"]
    assert warning is not None
    assert 60 < asked.shutdown_timeout < int(warning["warning"])


@pytest.mark.parametrize("code", [0, 3])
def test_it_ends_as_its_training_does(slurm: Slurm, code: int) -> None:
    assert slurm.run(f"exit {code}").wait() == code
    assert slurm.asked() == ""


@pytest.mark.parametrize(("code", "asked"), [(0, ""), (1, "requeue 7")])
def test_after_a_warning_it_waits_for_its_training_and_goes_back_into_the_queue_unless_that_is_done(
    slurm: Slurm, code: int, asked: str
) -> None:
    started = slurm.folder / "started"
    job = slurm.run(f"trap 'sleep 0.2; exit {code}' TERM; touch {started}; while :; do sleep 0.05; done")
    end = time.monotonic() + 60
    while not started.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    assert job.wait(60) == code
    assert slurm.asked() == asked
