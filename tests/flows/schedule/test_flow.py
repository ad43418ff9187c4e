"""What a run says before it starts a command."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sluice.flows.schedule.flow import cause, scheduled


def test_a_worker_without_the_timetables_folder_says_so(tmp_path: Path) -> None:
    state = scheduled.fn("weekly", ["evaluate"], f"{tmp_path}/tables", "sluice-of-this-test")
    assert state.is_failed()
    assert state.message.startswith(f"{tmp_path}/tables, the timetable's folder where it was deployed, is not on")
    assert socket.gethostname() in state.message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["    raise TooMany\n", "TooMany: 4\n", "Error: 4 failed:\n", "  a.jpg\n"], "Error: 4 failed:\n  a.jpg"),
        (["Error: no room\n", "Error: job weekly failed\n"], "Error: no room\nError: job weekly failed"),
        (["killed\n"], "killed"),
        ([], ""),
    ],
)
def test_the_cause_is_told_from_its_error_on(said: list[str], told: str) -> None:
    assert cause(said) == told
