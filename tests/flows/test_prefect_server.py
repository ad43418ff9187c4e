from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from sluice.flows import prefect_server as module
from sluice.flows.prefect_server import prefect_server


def test_the_server_that_the_user_names_is_used() -> None:
    started = module._start.cache_info().misses
    with temporary_settings({PREFECT_API_URL: "http://prefect.example/api"}), prefect_server():
        assert PREFECT_API_URL.value() == "http://prefect.example/api"
    assert module._start.cache_info().misses == started


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
