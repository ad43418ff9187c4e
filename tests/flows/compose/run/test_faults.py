"""Compositions on a server that misbehaves, on a full disk, and two at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.tree.job import Job
from sluice.infra.storage import storage
from tests.faults.proxy import FaultProxy, seeded
from tests.flows.runs import Command

QUIET = Console(quiet=True)
CRAMPED = """
import json, resource, sys
from pathlib import Path
from rich.console import Console
from sluice.flows.compose.run.flow import compose
from sluice.flows.compose.tree.job import Job
from sluice.infra.storage import NoSpace
job, folder, out = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    compose(Job.model_validate(json.loads(job)), Path(folder), out, Console(quiet=True))
except NoSpace as error:
    print(error)
"""
"""A composition where no picture has room."""


def run(job: dict[str, Any], folder: Path, out: Path | str) -> Sequence[str]:
    return compose(Job.model_validate(job), folder, out, QUIET).made


def files(out: Path | str) -> dict[str, bytes]:
    """What is there, of a folder or a bucket."""
    place = storage(out)
    return {entry.path: place.read(entry.path) for entry in place.list()}


@pytest.fixture(scope="module")
def job(plain: dict[str, Any]) -> dict[str, Any]:
    return {**plain, "seeds": [*range(12)], "batch": 2}


@pytest.fixture(scope="module")
def whole(job: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """The folder of the job, and what it comes to undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run(job, folder, folder / "out")
    return folder, files(folder / "out")


def test_a_server_that_misbehaves_costs_no_picture_and_no_byte(
    job: dict[str, Any],
    whole: tuple[Path, dict[str, bytes]],
    fault_proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in fault_proxy.environment.items():
        monkeypatch.setenv(name, value)
    folder, there = whole
    out = f"s3://{fault_proxy.server.new_bucket()}/out"
    with fault_proxy.dealing(seeded(0.25, seed=1)):
        run(job, folder, out)
    assert len(fault_proxy.counts) >= 5
    assert files(out) == there


def test_a_full_disk_is_said_and_when_there_is_room_it_goes_on(
    job: dict[str, Any], whole: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    folder, there = whole
    cramped = [sys.executable, "-c", CRAMPED, json.dumps(job), folder, tmp_path / "out"]
    said = subprocess.run(cramped, capture_output=True, text=True, check=True).stdout
    assert "run the same command again: it resumes" in said
    assert files(tmp_path / "out") == {}
    run(job, folder, tmp_path / "out")
    assert files(tmp_path / "out") == there


@pytest.mark.slow
def test_two_at_once_make_the_same_pictures(
    job: dict[str, Any], whole: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    folder, there = whole
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    both = [Command(["compose", folder / "job.yaml", "--out", tmp_path / "out"], tmp_path) for _ in range(2)]
    for command in both:
        code, said = command.end()
        assert code == 0, said
    made = files(tmp_path / "out")
    assert {name: made.get(name) for name in there} == there
