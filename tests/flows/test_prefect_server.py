from __future__ import annotations

import os
import socket
import sqlite3
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed

from sluice.flows import prefect_server as module
from sluice.flows.prefect_server import ServerOfOthers, prefect_server


def test_the_server_that_the_user_names_is_used() -> None:
    started = module._start.cache_info().misses
    with temporary_settings({PREFECT_API_URL: "http://prefect.example/api"}), prefect_server():
        assert PREFECT_API_URL.value() == "http://prefect.example/api"
    assert module._start.cache_info().misses == started


def test_one_that_others_use_is_not_for_serving() -> None:
    """Runs that they are at work on would be said to have crashed."""
    with (
        temporary_settings({PREFECT_API_URL: "http://me:a-secret@prefect.example/api"}),
        pytest.raises(ServerOfOthers, match=r"names http://prefect\.example/api, .* put the timetable there with"),
        prefect_server(services=True),
    ):
        pass


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_server() -> None:
    with prefect_server():
        server, _ = module._start(False)
        assert os.getsid(server.pid) != os.getsid(0)


def test_flows_of_one_process_share_a_server_and_leave_the_settings_alone() -> None:
    before = PREFECT_API_URL.value()
    with prefect_server():
        first = PREFECT_API_URL.value()
    with prefect_server():
        assert PREFECT_API_URL.value() == first
    assert PREFECT_API_URL.value() == before
    assert first.startswith("http://127.0.0.1:")


def test_another_takes_the_place_of_one_that_is_killed() -> None:
    server, port = module._start.__wrapped__(False)
    health = f"http://127.0.0.1:{port}/api/health"
    with urllib.request.urlopen(health, timeout=240) as before:
        assert before.status == 200
    server.kill()
    server.wait()
    with urllib.request.urlopen(health, timeout=240) as after:
        assert after.status == 200


@pytest.mark.slow
def test_a_place_is_held_and_let_go_across_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What frees a place that a killed run held is not forgotten when a server dies."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    with prefect_server(services=True), get_client(sync_client=True) as client:
        server, _ = module._start(True)
        client.upsert_global_concurrency_limit_by_name("a-place", 1)
        held = client.increment_concurrency_slots_with_lease(["a-place"], 1, "concurrency", 60).json()
        server.kill()
        server.wait()
        client.renew_concurrency_lease(held["lease_id"], 60)
        client.release_concurrency_slots_with_lease(held["lease_id"])
        assert client.read_global_concurrency_limit_by_name("a-place").active_slots == 0


@flow
def ended() -> None: ...


@pytest.mark.slow
def test_runs_of_a_timetable_go_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS", "5")
    with prefect_server():  # which sets what is set unless the user says otherwise
        listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    with module._serving(listening, True) as server, SyncPrefectClient(url) as client:
        old, new = (client.create_flow_run(ended, state=Completed()).id for _ in range(2))
        with closing(sqlite3.connect(tmp_path / "sluice-serve.db", timeout=60)) as database, database:
            database.execute("UPDATE flow_run SET end_time = '2020-01-01 00:00:00.000000' WHERE id = ?", [str(old)])
        end = time.monotonic() + 120
        while len(left := [run.id for run in client.read_flow_runs()]) == 2:
            assert time.monotonic() < end
            time.sleep(1)
        server.kill()
    assert left == [new]
