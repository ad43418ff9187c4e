"""A timetable, and the project's own prefect.yaml, on a real Prefect server with a work pool and a worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from sluice.flows.cli import app
from sluice.flows.submit.clusters import find_cluster
from sluice.flows.submit.words import understood
from tests.flows.conftest import write_pictures
from tests.flows.schedule.test_serve import CONFIG

PREFECT = str(Path(sys.executable).with_name("prefect"))
INFRA = Path(__file__).parents[3] / "infra"
SERVER = """
import os, sys
from sluice.flows.prefect_server import prefect_server
from prefect.settings import PREFECT_API_URL
with prefect_server(services=True):
    print(PREFECT_API_URL.value(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    monkeypatch.setenv("PREFECT_API_URL", url)
    prefect("work-pool", "create", "sluice", "--type", "process")
    yield url
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)


def prefect(*words: str, folder: Path | None = None) -> str:
    done = subprocess.run([PREFECT, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sluice(*words: str) -> str:
    """In a process of its own: settings of Prefect are read once."""
    program = str(Path(sys.executable).with_name("sluice"))
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=300)
    return f"{done.returncode} {done.stdout}{done.stderr}"


def asked(url: str, path: str, of: dict[str, object]) -> list[dict[str, object]]:
    answer = httpx.post(f"{url}/{path}", json=of, timeout=60)
    answer.raise_for_status()
    found: list[dict[str, object]] = answer.json()
    return found


@pytest.mark.slow
def test_a_worker_runs_what_is_deployed(server: str, home: Path) -> None:
    write_pictures(home / "pictures", range(4))
    (home / "made.yaml").write_text(CONFIG)
    table = home / "table.yaml"
    weekly = "{command: dataset build -c made.yaml --source pictures --out data, cron: '0 3 * * 1'}"
    table.write_text(f"runs:\n  weekly: {weekly}\n")
    assert "0 weekly: sluice dataset build" in sluice("deploy", str(table), "--pool", "sluice")
    assert sluice("deploy", str(table), "--pool", "sluice").startswith("0 ")
    (made,) = asked(server, "deployments/filter", {})
    assert made["entrypoint"] == "sluice.flows.schedule.flow.scheduled"
    (limit,) = asked(server, "v2/concurrency_limits/filter", {"limit": 10})[:1]
    assert limit["limit"] == 1
    prefect("deployment", "run", "sluice/weekly")
    prefect("worker", "start", "--pool", "sluice", "--run-once")
    assert list((home / "data" / "datasets" / "made").glob("*/manifest.json"))
    (run,) = asked(
        server,
        "flow_runs/filter",
        {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "flows": {"name": {"any_": ["sluice"]}}},
    )
    assert run["name"] == "weekly"


@pytest.mark.slow
def test_a_timetable_takes_back_its_own(server: str, home: Path) -> None:
    (home / "url").write_text("https://team.example/a-secret-path")
    (home / "url").chmod(0o600)
    ours, theirs = home / "ours.yaml", home / "theirs.yaml"
    entry = "{command: evaluate --suite papers --place here, every: 7d}"
    ours.write_text(f"notify: url\nruns:\n  old: {entry}\n  stays: {entry}\n")
    theirs.write_text(f"notify: url\nruns:\n  other: {entry}\n")
    for table in (ours, theirs):
        assert "failures are posted" in sluice("deploy", str(table), "--pool", "sluice")
    tags = {"sluice-ours-sluice", "sluice-theirs-sluice"}
    assert {made["name"] for made in asked(server, "automations/filter", {})} == tags
    theirs.write_text(f"runs:\n  other: {entry}\n  stays: {entry}\n")
    said = sluice("deploy", str(theirs), "--pool", "sluice")
    assert said.startswith("2 Error: runs.stays: the server has a deployment of this name from another timetable")
    assert "(its tags: sluice, sluice-ours-sluice)" in said
    (home / "elsewhere").mkdir()
    namesake = home / "elsewhere" / "ours.yaml"
    namesake.write_text(f"runs:\n  third: {entry}\n")
    said = sluice("deploy", str(namesake), "--pool", "sluice")
    assert f"the server has a timetable called ours.yaml for the pool sluice from another folder, {home}" in said
    ours.write_text(f"runs:\n  new: {entry}\n  stays: {entry}\n")
    assert "old: is in ours.yaml no more, and was taken back" in sluice("deploy", str(ours), "--pool", "sluice")
    assert {made["name"] for made in asked(server, "deployments/filter", {})} == {"new", "stays", "other"}
    assert [made["name"] for made in asked(server, "automations/filter", {})] == ["sluice-theirs-sluice"]
    assert [block["name"] for block in asked(server, "block_documents/filter", {})] == ["sluice-theirs-sluice"]


@pytest.mark.slow
def test_prefects_own_command_takes_the_projects_file(server: str, home: Path) -> None:
    gone = home / "of-whoever-deploys"
    gone.mkdir()
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(INFRA / "prefect.yaml"), folder=gone)
    gone.rmdir()
    found = asked(server, "deployments/filter", {"sort": "NAME_ASC"})
    assert [made["name"] for made in found] == ["compose", "dataset", "evaluate", "train"]
    for made in found:
        parameters = made["parameters"]
        assert isinstance(parameters, dict)
        alone = "share" in parameters
        assert alone == (parameters["name"] == "evaluate"), "the others' work is their actors'"
        if parameters["name"] != "compose":  # whose job file is the cluster's
            assert understood(parameters["words"], find_cluster(parameters["cluster"]), "a800", alone)
    write_pictures(home / "pictures", range(4))
    (home / "made.yaml").write_text(CONFIG)
    words = ["dataset", "plan", "-c", f"{home}/made.yaml", "--source", f"{home}/pictures", "--out", f"{home}/data"]
    here = json.dumps({"cluster": None, "words": words, "retries": {"count": 0, "after": 0}})
    prefect("deployment", "run", "sluice/dataset", "--params", here)
    prefect("worker", "start", "--pool", "sluice", "--run-once")
    runs = asked(server, "flow_runs/filter", {"flow_runs": {"name": {"any_": ["dataset"]}}})
    assert [run["state_type"] for run in runs] == ["COMPLETED"], runs


def test_a_server_or_pool_that_there_is_not_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = home / "table.yaml"
    table.write_text("runs: {weekly: {command: evaluate --suite papers, every: 7d}}")
    said = sluice("deploy", str(table), "--pool", "sluice")
    assert "1 Error: PREFECT_API_URL names no server: set it, or run `sluice serve`" in said
    monkeypatch.setenv("PREFECT_API_URL", "http://someone:a-secret@127.0.0.1:9/api")
    said = sluice("deploy", str(table), "--pool", "sluice")
    assert "1 Error: no Prefect server answers at PREFECT_API_URL = http://127.0.0.1:9/api" in said
    assert "a-secret" not in said


def test_a_url_that_cannot_be_posted_to_stops_all_of_it(home: Path) -> None:
    table = home / "table.yaml"
    table.write_text("notify: url\nruns: {weekly: {command: evaluate --suite papers, every: 7d}}")
    (home / "url").write_text("https://x")
    (home / "url").chmod(0o640)
    said = sluice("deploy", str(table), "--pool", "sluice")  # of the server, nothing was asked yet
    assert f"2 Error: {home}/url, which `notify:` names, can be read by others of this machine: chmod 600" in said


def test_the_commands_are_there() -> None:
    for command in ("deploy", "serve"):
        assert "timetable" in CliRunner().invoke(app, [command, "--help"]).output.lower()
