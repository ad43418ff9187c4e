"""What a run says before it starts a command."""

from __future__ import annotations

import socket
from pathlib import Path

from sluice.flows.schedule.flow import scheduled


def test_a_worker_without_the_timetables_folder_says_so(tmp_path: Path) -> None:
    state = scheduled.fn("weekly", ["evaluate"], f"{tmp_path}/tables", "sluice-of-this-test")
    assert state.is_failed()
    assert state.message.startswith(f"{tmp_path}/tables, the timetable's folder where it was deployed, is not on")
    assert socket.gethostname() in state.message
