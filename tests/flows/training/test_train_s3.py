"""A training whose checkpoints are in a bucket, and that goes on on another machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.flows.cli import app
from sluice.infra.storage import storage
from tests.faults.servers import moto
from tests.flows.training.test_train import command, data, same, weights

__all__ = ["data"]  # the fixture


@pytest.mark.slow
def test_another_machine_goes_on_from_a_bucket(
    data: Path,
    untrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with moto() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        place = f"s3://{server.new_bucket()}/first"

        def train(out: str) -> str:
            asked = [*command("micontrolnet-1", data, untrained, tmp_path / out), "--checkpoints", place]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        assert "step 4 of 4" in train("here")
        assert sorted(entry.path for entry in storage(place).list()) == [
            "000000002.json", "000000002.pt", "000000004.json", "000000004.pt", "training.json",
        ]  # fmt: skip
        assert not (tmp_path / "here" / "checkpoints").exists()
        storage(place).delete(["000000004.json", "000000004.pt"])
        assert "step 4 of 4" in train("there")
        assert same(weights(tmp_path / "here"), weights(tmp_path / "there"))
        told = CliRunner().invoke(app, ["lineage", str(tmp_path / "there")]).output
        assert "checkpoint after step 4" in told
        assert "checkpoint after step 2" in told
