"""Faults one by one, what they cost, and giving up."""

from __future__ import annotations

import logging
import random
import time

import pytest

from sluice.infra.s3.bucket import READ_AHEAD, S3Storage
from sluice.infra.s3.faults import Retry
from sluice.infra.storage import StorageError
from tests.faults.proxy import PASSING, Fault, FaultProxy, scripted
from tests.infra.conftest import MakeS3
from tests.infra.s3.actions import ACTIONS


@pytest.mark.parametrize("action", ACTIONS)
def test_each_fault_costs_one_counted_and_logged_retry(
    proxy: FaultProxy, make_s3: MakeS3, caplog: pytest.LogCaptureFixture, action: str
) -> None:
    method, act = ACTIONS[action]
    s3 = make_s3(proxy, timeout_s=0.5)
    for fault in PASSING:  # a slow answer is slower than the timeout here
        s3.write("a", b"x" * 1000)
        before = s3.retries
        caplog.clear()
        with proxy.dealing(scripted(fault, method=method), slow_s=1):
            act(s3)
        assert sum(proxy.counts.values()) == 1
        assert s3.retries - before == 1
        logged = [record for record in caplog.records if record.name == "sluice.storage"]
        assert [record.levelno for record in logged] == [logging.WARNING]
        assert f"could not {action} {s3.uri}" in logged[0].getMessage()
        assert "attempt 1 of 12" in logged[0].getMessage()


def test_reading_on_after_cuts(proxy: FaultProxy, make_s3: MakeS3) -> None:
    s3, data = make_s3(proxy), random.Random(0).randbytes(2 * READ_AHEAD + 12345)
    s3.write("a", data)
    with proxy.dealing(scripted(Fault.CUT, None, Fault.CUT, Fault.CUT, method="GET")), s3.open("a") as file:
        assert file.read(100) == data[:100]
        assert file.read() == data[100:]
    assert proxy.counts == {Fault.CUT: 3}
    assert s3.retries == 3


def test_damage_on_the_way_is_noticed(fault_proxy: FaultProxy, make_s3: MakeS3) -> None:
    s3 = make_s3(fault_proxy)
    with fault_proxy.dealing(scripted(Fault.DAMAGED, method="PUT")):
        s3.write("a", b"precious")
    assert s3.read("a") == b"precious"
    assert (s3.retries, fault_proxy.counts) == (1, {Fault.DAMAGED: 1})


def test_gives_up_after_so_many_attempts(proxy: FaultProxy, make_s3: MakeS3) -> None:
    s3 = make_s3(proxy, retry=Retry(attempts=3, first_s=0.01))
    with (
        proxy.dealing(lambda _: Fault.SLOW_DOWN),
        pytest.raises(StorageError, match=rf"write {s3.uri}/a .*tried 3 times: SlowDown.*SLUICE_S3_ATTEMPTS"),
    ):
        s3.write("a", b"x")
    assert (proxy.requests, s3.retries) == (3, 2)


def test_attempts_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_S3_ATTEMPTS", "4")
    assert Retry.from_environment().attempts == 4
    monkeypatch.setenv("SLUICE_S3_ATTEMPTS", "none")
    with pytest.raises(StorageError, match="SLUICE_S3_ATTEMPTS is 'none'"):
        S3Storage("bucket")


def test_waits_double_up_to_the_longest() -> None:
    waits = [Retry(10, first_s=1, longest_s=5).wait_s(attempt) for attempt in range(1, 6)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, (1, 2, 4, 5, 5), strict=True))


def test_a_slow_answer_is_waited_for(proxy: FaultProxy, make_s3: MakeS3) -> None:
    s3 = make_s3(proxy)
    begun = time.monotonic()
    with proxy.dealing(scripted(Fault.SLOW), slow_s=0.3):
        s3.write("a", b"x")
    assert time.monotonic() - begun >= 0.3
    assert s3.retries == 0
