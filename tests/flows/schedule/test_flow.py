"""What a run says before it starts a command."""

from __future__ import annotations

import socket
import threading
from contextvars import copy_context
from pathlib import Path

import pytest
from prefect import get_client
from prefect.concurrency.sync import concurrency

from sluice.flows.prefect_server import prefect_server
from sluice.flows.schedule.flow import Retries, cause, scheduled
from tests.flows.schedule.conftest import until


def test_a_worker_without_the_timetables_folder_says_so(tmp_path: Path) -> None:
    state = scheduled.fn("weekly", ["evaluate"], f"{tmp_path}/tables", "sluice-of-this-test")
    assert state.is_failed()
    assert state.message.startswith(f"{tmp_path}/tables, the timetable's folder where it was deployed, is not on")
    assert socket.gethostname() in state.message


@pytest.mark.slow
def test_others_may_hold_a_place_while_a_failed_run_waits_to_be_tried_again(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place, ended = "sluice-of-this-wait", []

    def run() -> None:
        told = "one", ["dataset", "nosuch"], str(home), place
        ended.append(scheduled(*told, retries=Retries(1, 10.0), return_state=True))

    def held() -> int:
        with get_client(sync_client=True) as client:
            return client.read_global_concurrency_limit_by_name(place).active_slots

    with prefect_server():
        with get_client(sync_client=True) as client:
            client.upsert_global_concurrency_limit_by_name(place, 1)
        running = threading.Thread(target=copy_context().run, args=(run,))
        running.start()
        until(lambda: "Retry 1/1 will start" in caplog.text)
        until(lambda: held() == 0)
        assert running.is_alive(), "it waits"
        with concurrency(place, occupy=1, strict=True, timeout_seconds=5):
            pass
        running.join()
    assert ended[0].is_failed()


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
