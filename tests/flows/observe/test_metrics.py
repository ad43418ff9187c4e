"""Figures on a port."""

from __future__ import annotations

import json
import logging
import re
import socket
from pathlib import Path
from wsgiref.types import WSGIApplication

import httpx
import pytest
from prometheus_client.metrics import MetricWrapperBase

from sluice.flows.observe import metrics as observe
from sluice.flows.observe.metrics import serve_metrics
from sluice.infra import metrics
from sluice.infra.settings import ConfigError

GRAFANA = Path(__file__).parents[3] / "infra" / "grafana" / "sluice.json"


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_whoever_is_here_reads_them() -> None:
    port = free()
    serve_metrics(str(port))
    metrics.RECORDS.labels("of-this-test").inc(7)
    assert 'sluice_records_total{stage="of-this-test"} 7.0' in httpx.get(f"http://127.0.0.1:{port}/metrics").text


def test_others_bring_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    port = free()
    serve_metrics(f"0.0.0.0:{port}")
    file = tmp_path / ".config/sluice/metrics_token"
    assert file.stat().st_mode & 0o777 == 0o600
    url, token = f"http://127.0.0.1:{port}/metrics", file.read_text()
    for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": token}):
        refused = httpx.get(url, headers=headers)
        assert (refused.status_code, "sluice_" in refused.text) == (401, False)
    assert "sluice_records" in httpx.get(url, headers={"Authorization": f"Bearer {token}"}).text


def test_nobody_is_answered_before_the_token_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    port, asking = free(), observe._asking

    def asked_first(token: str, app: WSGIApplication) -> WSGIApplication:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        return asking(token, app)

    monkeypatch.setattr(observe, "_asking", asked_first)
    serve_metrics(f"0.0.0.0:{port}")
    assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 401


def test_an_address_of_the_newer_kind_is_answered(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        port = listening.getsockname()[1]
    serve_metrics(f"[::1]:{port}")
    assert "sluice_records" in httpx.get(f"http://[::1]:{port}/metrics").text
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING, "sluice.observe"):
        serve_metrics(str(taken.getsockname()[1]))
    assert "Address already in use" in caplog.text


@pytest.mark.parametrize("address", ["many", "0", "70000", ":9464", "127.0.0.1"])
def test_an_address_is_looked_at(address: str) -> None:
    with pytest.raises(ConfigError, match=f"--metrics {address}: give PORT, or HOST:PORT"):
        serve_metrics(address)


def test_the_dashboard_asks_for_what_there_is() -> None:
    """Grafana's file against the collectors themselves, by name and label."""
    told = [own for own in vars(metrics).values() if isinstance(own, MetricWrapperBase)]
    known = {family.name + ("_total" if family.type == "counter" else "") for own in told for family in own.describe()}
    asked = [target["expr"] for panel in json.loads(GRAFANA.read_text())["panels"] for target in panel["targets"]]
    names = {name for expr in asked for name in re.findall(r"\bsluice_\w+", expr)}
    assert names == known
    labels = {name for own in told for name in own._labelnames}
    assert {name for expr in asked for name in re.findall(r"by \((\w+)", expr)} <= labels | {"instance"}
