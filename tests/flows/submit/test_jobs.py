"""Jobs on a real cluster that asks for a token."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import ray
from typer.testing import Result

from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.jobs import Jobs, Share
from sluice.flows.submit.speaking import NoSuchCluster
from sluice.flows.submit.words import Asked
from tests.flows.conftest import write_pictures
from tests.flows.runs import Command
from tests.flows.submit.conftest import Head

Sluice = Callable[..., Result]


@pytest.fixture
def here(head: Head) -> Cluster:
    """The cluster itself."""
    return Cluster(address=head.address, token=str(head.shared.parent / "token"))


def test_a_build_runs_there_once_and_says_here_what_it_does(head: Head, sluice: Sluice, build: list[str]) -> None:
    done = sluice("submit", *build, "--cluster", "here", "--id", "weekly-48", "--follow")
    assert done.exit_code == 0, done.output
    assert "weekly-48: started on here" in done.output
    assert "made" in done.output
    assert "6 records from 6 images" in done.output
    assert "weekly-48: succeeded" in done.output
    (version,) = (head.shared / "out" / "datasets" / "made").glob("*/manifest.json")
    again = sluice("submit", *build, "--cluster", "here", "--id", "weekly-48")
    assert again.exit_code == 0
    assert again.output == "weekly-48: done already; nothing was started\n"
    other = sluice("submit", *build, "--limit", 1, "--cluster", "here", "--id", "weekly-48")
    assert re.search(
        r"weekly-48 is a job of another command \(sluice dataset build .*\): give this one another --id",
        str(other.exception),
    )
    assert version.exists()
    found = json.loads(sluice("status", "--cluster", "here", "--json").output)["jobs"]
    assert ("weekly-48", "SUCCEEDED") in [(job["id"], job["state"]) for job in found]
    assert re.search(
        r"job weekly-48: succeeded, ended .* ago: sluice dataset build", sluice("status", "--cluster", "here").output
    )


def test_a_job_that_failed_says_why_and_is_not_run_twice(sluice: Sluice, build: list[str]) -> None:
    words = [*build, "--set", "stages.depth.model=gone", "--cluster", "here", "--id", "wrong"]
    done = sluice("submit", *words, "--follow")
    assert done.exit_code == 1
    assert "gone" in done.output
    assert "wrong: failed" in done.output
    assert "gone" in sluice("logs", "wrong", "--cluster", "here").output
    assert "wrong was started before and failed" in str(sluice("submit", *words).exception)
    told = sluice("status", "--cluster", "here").output
    assert "sluice logs wrong --cluster here says why" in told


def test_a_job_that_no_node_can_hold_is_said_to_wait(
    here: Cluster, sluice: Sluice, build: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = sluice("submit", "--cluster", "here", "--id", "huge", "--cpus", "1e9", *build)
    assert said.exit_code == 0, said.output
    assert "No node that is up has 1e+09 CPUs and 0 GPUs (there are: 1 CPUs and 0 GPUs" in said.output
    assert "it fails where none joins within 15 minutes" in said.output
    assert sluice("stop", "huge", "--cluster", "here").output == "huge: told to end as soon as it has begun\n"
    monkeypatch.setattr("sluice.flows.submit.jobs.SILENCE", 1.0)
    with pytest.raises(NoSuchCluster, match="said nothing of huge for 1 s"):
        next(Jobs(here).tail("huge"))


def test_two_that_submit_one_id_at_once_start_one_job(here: Cluster) -> None:
    asked = Asked(("evaluate", "--help"))
    with ThreadPoolExecutor(2) as both:
        met = list(both.map(lambda jobs: jobs.submit(asked, "both", Share()), [Jobs(here), Jobs(here)]))
    assert [job.id for job in met if job is not None] == ["both"]
    other = Asked(("evaluate", "--list"))
    with pytest.raises(NoSuchCluster, match=r"could not do it: Request .*: ValueError: Job with .* both already"):
        Jobs(here)._start("", "", other, "both", Share())


def test_an_id_that_others_gave_to_a_job_of_theirs_is_refused(here: Cluster, sluice: Sluice, build: list[str]) -> None:
    Jobs(here).client.submit_job(entrypoint="true", submission_id="theirs")
    refused = sluice("submit", *build, "--cluster", "here", "--id", "theirs").exception
    assert "theirs is a job of another command (true): give this one another --id" in str(refused)
    assert "theirs" not in sluice("status", "--cluster", "here", "--json").output


@pytest.mark.slow
def test_a_job_is_watched_by_options_behind_its_command(head: Head, sluice: Sluice, build: list[str]) -> None:
    log = head.shared / "runs.jsonl"
    words = [*build, "--out", head.shared / "watched", "--cluster", "here", "--id", "watched"]
    done = sluice("submit", *words, "--log", log, "--metrics", "9464", "--follow")
    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[0]["event"] == "began"
    assert events[0]["command"].startswith(f"sluice --log {log} --metrics 9464 dataset build")
    assert [event["event"] for event in events].count("done") == 3, "two stages on one shard, and its export"
    assert (events[-1]["event"], events[-1]["exit"]) == ("ended", 0)


@pytest.mark.slow
def test_a_job_goes_on_without_who_follows_it_and_keeps_what_it_did_when_it_is_told_to_stop(
    head: Head, sluice: Sluice, build: list[str], tmp_path: Path
) -> None:
    write_pictures(head.shared / "many", range(300))
    out = head.shared / "slow"
    words = [*build, "--set", "shard_size=5", "--source", head.shared / "many", "--out", out]
    sluice("submit", *words, "--cluster", "here", "--id", "long")
    following = Command(["logs", "long", "--cluster", "here", "--follow"], tmp_path)
    _until(lambda: list(out.glob("stages/image/*/*.json")), 120)
    following.press_ctrl_c()
    code, followed = following.end()
    assert (code, followed.splitlines()[-1]) == (
        130,
        "Interrupted. long goes on where it was started: `sluice logs long --cluster here --follow` follows it, and "
        "`sluice stop long --cluster here` ends it",
    )
    assert sluice("stop", "long", "--cluster", "here").output == "long: told to end\n"
    _until(lambda: "long: had ended (stopped)" in sluice("stop", "long", "--cluster", "here").output, 60)
    said = sluice("logs", "long", "--cluster", "here").output
    assert "Interrupted. What is done is kept" in said
    assert sluice("submit", *words, "--cluster", "here", "--id", "long-2", "--follow").exit_code == 0


def test_no_token_is_in_what_a_job_leaves(head: Head, sluice: Sluice) -> None:
    """After the jobs above: in their logs, in what travelled, in what they wrote, and in what is said of them."""
    files = {path: content for folder in (head.session, head.shared) for path, content in _contents(folder)}
    assert any(path.name.startswith("job-driver-") for path in files)
    assert [path for path, content in files.items() if head.token.encode() in content] == []
    assert head.token not in sluice("status", "--cluster", "here", "--json").output


@pytest.mark.parametrize("command", ["logs", "stop"])
def test_a_job_that_there_is_not_is_told_with_the_nearest(sluice: Sluice, command: str) -> None:
    assert "the cluster knows no job weekly-84" in str(sluice(command, "weekly-84", "--cluster", "here").exception)


def test_a_cluster_that_is_not_as_expected_is_told_apart(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("another")
    wrong.chmod(0o600)
    with pytest.raises(NoSuchCluster, match=r"has another token than .*token: copy it anew"):
        Jobs(Cluster(address=head.address, token=str(wrong)))
    with pytest.raises(NoSuchCluster, match="asks for a token, and the cluster's `token:` is null"):
        Jobs(Cluster(address=head.address, token=None))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    with pytest.raises(NoSuchCluster, match=f"nobody answers at http://127.0.0.1:{port}: is the cluster up"):
        Jobs(Cluster(address=f"http://127.0.0.1:{port}", token=None))
    monkeypatch.setattr(ray, "__version__", "2.1.0")
    with pytest.raises(NoSuchCluster, match=r"runs Ray \d+\.\d+\.\d+, and this Sluice is made for 2.1.0"):
        Jobs(Cluster(address=head.address, token=str(head.shared.parent / "token")))


def test_a_port_without_https_is_told_from_one_without_anybody() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server, ThreadPoolExecutor(1) as beside:
        beside.submit(server.serve_forever)
        at = f"https://127.0.0.1:{server.server_port}"
        try:
            with pytest.raises(NoSuchCluster, match=rf"what answers at {at} cannot be spoken with by https \(WRONG"):
                Jobs(Cluster(address=at, token=None))
        finally:
            server.shutdown()


def test_a_token_goes_nowhere_but_to_its_cluster(sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own client would rather go where its variables say."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        monkeypatch.setenv("RAY_ADDRESS", f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert sluice("status", "--cluster", "here").exit_code == 0
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_a_cluster_without_a_token_is_not_told_this_machines_own(tmp_path: Path) -> None:
    """In a process of its own: Ray reads its variables once."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as beside:
        heard = beside.submit(_hear, listening)
        listed = tmp_path / "clusters.yaml"
        listed.write_text(f"open: {{address: 'http://127.0.0.1:{listening.getsockname()[1]}', token: null}}")
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-machine", "SLUICE_CLUSTERS": str(listed)}
        told = [Path(sys.executable).with_name("sluice"), "status", "--cluster", "open"]
        assert subprocess.run(told, env={**os.environ, **own}, capture_output=True).returncode == 1
        assert "GET /api/version" in heard.result()
        assert "of-this-machine" not in heard.result()


def _hear(listening: socket.socket) -> str:
    """What is asked of a server, which then says no more."""
    with listening.accept()[0] as asked:
        return asked.recv(65536).decode()


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file beneath, but what the running cluster deletes meanwhile: it unpacks what travelled."""
    for at, _, names in os.walk(folder):
        for path in (Path(at, name) for name in names):
            with suppress(FileNotFoundError):
                if path.is_file():
                    yield path, path.read_bytes()


def _until(holds: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.5)
