"""The token of a Ray of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sluice.flows.session import keep_token_private


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_a_token_is_made_for_its_owner_alone_and_stays(home: Path) -> None:
    keep_token_private()
    file = home / ".ray" / "auth_token"
    assert mode(file) == 0o600
    token = file.read_text()
    assert len(token) == 64
    file.chmod(0o644)
    keep_token_private()
    assert mode(file) == 0o600
    assert file.read_text() == token


@pytest.mark.parametrize(("name", "value"), [("RAY_AUTH_MODE", "disabled"), ("RAY_AUTH_TOKEN", "a secret")])
def test_nothing_is_made_where_none_is_read(home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    keep_token_private()
    assert not (home / ".ray").exists()


def test_a_home_that_cannot_be_written_is_no_error(home: Path) -> None:
    (home / ".ray").write_text("a file")
    keep_token_private()


def test_a_local_ray_asks_for_it(home: Path) -> None:
    """Whatever the umask is."""
    script = "from sluice.flows.session import ray_session\nwith ray_session(None, 1): pass"
    done = subprocess.run(
        ["sh", "-c", f'umask 0 && exec "{sys.executable}" -c "{script}"'],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert mode(home / ".ray" / "auth_token") == 0o600


ENDED = """
import sys
import time
from sluice.flows.session import ray_session
from sluice.infra.interrupts import listen
listen()
try:
    print("starts", flush=True)
    with ray_session(None, 1):
        time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("seconds", [1.4, *(pytest.param(own, marks=pytest.mark.slow) for own in (0.5, 1.2, 1.6, 2.5))])
def test_a_start_that_is_told_to_end_does(seconds: float) -> None:
    with subprocess.Popen([sys.executable, "-c", ENDED], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        time.sleep(seconds)
        started.terminate()
        _, said = started.communicate(timeout=50)
    assert (started.returncode, b"Traceback" in said) == (130, False), said


KILLED = """
import os, time, psutil
from sluice.flows.session import ray_session
with ray_session(None, 1):
    for raylet in [own for own in psutil.Process().children() if own.name() == "raylet"]:
        raylet.kill()
    time.sleep(3)
    os._exit(3)  # Ray would, some ten seconds later
"""


@pytest.mark.usefixtures("home")
def test_a_raylet_that_is_killed_is_said_with_what_to_do() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 3
    assert "was killed" in done.stderr
    assert "the same command goes on from there" in done.stderr


DYING = """
import threading, time
from sluice.flows.reach import NoCluster
from sluice.flows.session import _raylets, ray_session

def kill():
    while not (found := list(_raylets())):
        time.sleep(0.01)
    found[0].kill()

threading.Thread(target=kill).start()
began = time.monotonic()
try:
    with ray_session(None, 1):
        print("started")
except NoCluster as error:
    print(error if time.monotonic() - began < 60 else "too late")
"""


@pytest.mark.usefixtures("home")
def test_a_raylet_that_dies_at_its_start_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory() as place:  # sockets want a short path
        monkeypatch.setenv("RAY_TMPDIR", place)
        done = subprocess.run([sys.executable, "-c", DYING], capture_output=True, text=True, check=False, timeout=240)
    assert done.stdout.startswith("Ray ended as it started on this machine: its raylet died"), done.stderr
    assert f"is in {place}/ray/session_latest/logs/raylet.err" in done.stdout


SLOW = """
import os, signal, threading, time
from sluice.flows.session import _raylets, ray_session

def hold():
    while not (found := list(_raylets())):
        time.sleep(0.01)
    os.kill(found[0].pid, signal.SIGSTOP)
    time.sleep(40)
    os.kill(found[0].pid, signal.SIGCONT)

threading.Thread(target=hold).start()
with ray_session(None, 1):
    print("started")
"""


@pytest.mark.slow
def test_a_raylet_that_takes_longer_than_ray_waits_for_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.endswith("started\n"), done.stderr
