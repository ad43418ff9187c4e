"""`sluice serve`: what is due runs, news is noticed, and a kill leaves nothing held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from sluice.flows.prefect_server import DEFAULTS
from sluice.flows.schedule.serve import serve
from sluice.infra.lock import Occupied, alone_in
from tests.flows.conftest import write_pictures
from tests.flows.schedule.conftest import Told, until

CONFIG = "name: made\nsource: {kind: folder}\nstages: {image: {size: 64, min_side: 16}, canny: {}}\n"
TABLE = """
notify: {url}
runs:
  pictures:
    command: dataset build -c made.yaml --source pictures --out data --set shard_size=5
    every: 5s
    when: new images
  wrong: {{command: dataset build -c made.yaml --source gone --out other, every: 20s, retries: 1, retry_after: 1s}}
"""


@contextmanager
def serving(folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as said:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("sluice")), "serve", "table.yaml"],
            cwd=folder,
            # What flows of other tests in this process have set is theirs: a server of its own has its own logs.
            env={name: value for name, value in os.environ.items() if name not in DEFAULTS},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # ended, with all that it started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_one_timetable_is_kept_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.flows.schedule.serve.SERVING", tmp_path / "serve")
    (tmp_path / "table.yaml").write_text("runs: {weekly: {command: evaluate --suite papers, every: 7d}}")
    with alone_in(tmp_path / "serve"), pytest.raises(Occupied, match=r"another `sluice serve` .* into one file"):
        serve(tmp_path / "table.yaml", Console())


STUBBORN = """
import asyncio
from prefect.runner import Runner
from sluice.flows.schedule import backlog, serve
from sluice.infra.interrupts import listen

async def never_ends(self):
    print("runs", flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

Runner.start, serve.LAST_S = never_ends, 1.0
backlog.drop_changed = lambda _: None  # there is no server
listen()
serve._run_what_is_due([])
"""


def test_it_ends_although_prefect_does_not() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        time.sleep(1)  # until it waits
        started.send_signal(signal.SIGTERM)
        _, said = started.communicate(timeout=60)
    assert (started.returncode, said) == (
        1,
        b"Ended after 1 seconds, although Prefect had not; what ran goes on with the next start.\n",
    )


@pytest.mark.slow
def test_a_source_is_watched_a_failure_is_told_and_a_kill_keeps_nobody(home: Path, told: Told) -> None:
    write_pictures(home / "pictures", range(4))
    (home / "made.yaml").write_text(CONFIG)
    (home / "table.yaml").write_text(TABLE.format(url=told.file))
    log = home / "serve.log"

    def versions() -> list[Path]:
        return list((home / "data" / "datasets" / "made").glob("*/manifest.json"))

    def units() -> int:
        return len(list((home / "data" / "stages" / "image").glob("*/*.json")))

    with serving(home, log):
        until(lambda: len(versions()) == 1)
        until(lambda: "NothingNew" in log.read_text())
        write_pictures(home / "pictures", range(4, 6))
        until(lambda: len(versions()) == 2)
        until(lambda: told.texts)  # the server is new: events that Prefect's own wait for never came to it
        assert told.texts[0].startswith("Sluice: wrong failed\n")
        assert "gone does not exist" in told.texts[0]
        before = units()
        write_pictures(home / "pictures", range(6, 306))
        until(lambda: units() > before)
        assert len(versions()) == 2
    assert "a-secret-path" not in log.read_text()
    with serving(home, log):  # what was killed in its midst keeps nobody
        until(lambda: len(versions()) == 3)
        second = subprocess.run(
            [str(Path(sys.executable).with_name("sluice")), "serve", "table.yaml"],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert second.returncode == 2
        assert "another `sluice serve`" in second.stderr


@pytest.mark.slow
def test_told_to_end_it_ends_what_runs_and_goes_on_with_the_next_start(home: Path) -> None:
    write_pictures(home / "pictures", range(300))
    (home / "made.yaml").write_text(CONFIG)
    runs = "runs: {{pictures: {{command: dataset build -c made.yaml --source pictures --out data, {}}}}}"
    (home / "table.yaml").write_text(runs.format("every: 5s"))
    log = home / "serve.log"
    with serving(home, log) as process:
        until(lambda: "Ctrl-C ends" in log.read_text())
        until(lambda: list(home.glob("data/index/*/*")))
        running = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
        until(lambda: not any(own.is_running() for own in running))
    said = log.read_text()
    assert said.endswith(
        "Ended; what ran ends within two minutes, and goes on from what it kept with the next start.\n"
    )
    assert "Traceback" not in said
    assert "Warning" not in said
    assert not list(home.glob("data/datasets/made/*/manifest.json"))
    (home / "table.yaml").write_text(runs.format("cron: '0 3 1 1 *'"))  # due by a new year alone
    with serving(home, log):
        until(lambda: "--out data; was cut off, and begins now" in log.read_text())
        until(lambda: list(home.glob("data/datasets/made/*/manifest.json")))
