"""A run's log."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from sluice.flows.observe.log import begin, log_to, told
from sluice.infra.settings import ConfigError
from tests.flows.observe.conftest import lines


def test_each_line_says_its_run_and_what_it_is_about(log: Path) -> None:
    begin(["dataset", "build", "--set", "name=two words"])
    logging.getLogger("sluice.execute").warning("the worker of %s died", "canny/1", extra={"stage": "canny"})
    began, died = lines(log)
    assert (began["event"], began["run"]) == ("began", "a-run")
    assert began["command"] == "sluice dataset build --set 'name=two words'"
    assert (died["level"], died["event"], died["stage"]) == ("WARNING", "the worker of canny/1 died", "canny")


@pytest.mark.parametrize(
    ("error", "event"), [(KeyboardInterrupt(), "interrupted"), (ValueError("no such model"), "failed")]
)
def test_an_end_is_told_and_goes_on(log: Path, error: BaseException, event: str) -> None:
    def ends() -> None:
        raise error

    with pytest.raises(type(error)):
        told(ends)
    (line,) = lines(log)
    assert line["event"] == event
    assert ("error" in line) == (event == "failed")
    assert told(lambda: 3) == 3
    assert lines(log)[-1]["exit"] == 3


def test_a_login_is_in_no_command(log: Path) -> None:
    begin(["dataset", "build", "--out", "s3://me:a-secret@team/data"])
    (began,) = lines(log)
    assert began["command"] == "sluice dataset build --out s3://team/data"
    assert "a-secret" not in generate_latest().decode()


def test_without_a_log_an_end_is_told_once(tmp_path: Path) -> None:
    """In words, and in a process of its own: a test's has handlers that others have not."""
    asked = [Path(sys.executable).with_name("sluice"), "dataset", "build", "-c", "gone.yaml"]
    said = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False).stderr
    assert said == "Error: there is no configuration file gone.yaml\n"


def test_a_disk_that_is_full_is_said_once_and_stops_nothing(tmp_path: Path) -> None:
    asked = [Path(sys.executable).with_name("sluice"), "--log", "/dev/full", "models", "list"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = "--log /dev/full lacks 'began' and more: [Errno 28] No space left on device\n"
    assert (done.returncode, done.stderr) == (0, told)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--log .*gone/log cannot be written: No such file"):
        log_to(str(tmp_path / "gone" / "log"))
