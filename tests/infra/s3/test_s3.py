"""What only S3 has: faults one by one, giving up, unfinished uploads, credentials, pages, memory."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from sluice.infra.s3.bucket import READ_AHEAD, S3Storage
from sluice.infra.s3.connection import FIRST_CONTACT
from sluice.infra.s3.faults import Retry
from sluice.infra.s3.multipart import PART
from sluice.infra.storage import MissingBucket, PermissionDenied, Storage, StorageError
from tests.faults.proxy import PASSING, Fault, FaultProxy, Request, scripted
from tests.faults.servers import S3Server
from tests.infra.conftest import QUICK, MakeS3

ACTIONS: dict[str, tuple[str, Callable[[Storage], object]]] = {
    "write": ("PUT", lambda s3: s3.write("b", b"x" * 100)),
    "read": ("GET", lambda s3: s3.read("a")),
    "list": ("GET", lambda s3: [*s3.list()]),
    "examine": ("HEAD", lambda s3: s3.head("a")),
    "delete": ("POST", lambda s3: s3.delete(["a"])),
}


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


def test_a_file_replaced_while_it_is_read_is_noticed(proxy: FaultProxy, make_s3: MakeS3) -> None:
    s3 = make_s3(proxy)
    s3.write("a", bytes(READ_AHEAD + 1000))
    with s3.open("a") as file:
        file.read(1)
        s3.write("a", b"\1" * (READ_AHEAD + 1000))
        with pytest.raises(StorageError, match="was replaced while it was being read"):
            file.read()


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


def unfinished(s3: S3Storage, server: S3Server) -> int:
    client = boto3.client("s3", endpoint_url=server.endpoint)
    return len(client.list_multipart_uploads(Bucket=s3.bucket, Prefix=s3.prefix).get("Uploads", []))


@pytest.fixture
def big(tmp_path: Path) -> Path:
    (tmp_path / "big").write_bytes(random.Random(1).randbytes(2 * PART + 100_000))
    return tmp_path / "big"


def test_a_lost_answer_to_the_last_step_is_no_failure(proxy: FaultProxy, make_s3: MakeS3, big: Path) -> None:
    s3 = make_s3(proxy)
    with proxy.dealing(scripted(Fault.LOST, method="POST", target="uploadId=")):
        s3.upload("big", big)
    assert proxy.counts == {Fault.LOST: 1}
    assert s3.read("big") == big.read_bytes()


def test_an_upload_that_fails_leaves_nothing(proxy: FaultProxy, make_s3: MakeS3, big: Path) -> None:
    s3 = make_s3(proxy, retry=Retry(attempts=2, first_s=0.01))

    def plan(request: Request) -> Fault | None:
        return Fault.ERROR_500 if "partNumber=2" in request.target else None

    with proxy.dealing(plan), pytest.raises(StorageError, match="tried 2 times: InternalError"):
        s3.upload("big", big)
    assert s3.head("big") is None
    assert unfinished(s3, proxy.server) == 0


def test_what_a_killed_upload_left_is_swept(rclone_server: S3Server, make_s3: MakeS3) -> None:
    s3 = make_s3(rclone_server)
    client = boto3.client("s3", endpoint_url=rclone_server.endpoint)
    client.create_multipart_upload(Bucket=s3.bucket, Key=f"{s3.prefix}/a")
    assert (s3.sweep(older_than_s=3600), unfinished(s3, rclone_server)) == (0, 1)
    assert (s3.sweep(older_than_s=-3600), unfinished(s3, rclone_server)) == (1, 0)


def test_many_files_come_in_pages_and_go_in_batches(
    fault_proxy: FaultProxy, make_s3: MakeS3, rclone_folder: Path
) -> None:
    make_s3(fault_proxy)
    s3 = S3Storage(fault_proxy.server.new_bucket(), "many", QUICK)
    paths = [f"{number:04d}" for number in range(1300)]
    folder = rclone_folder / s3.bucket / s3.prefix
    folder.mkdir()
    for path in paths:
        (folder / path).write_bytes(b"x")
    faults = (Fault.ERROR_500, None, Fault.RESET, Fault.CUT, None, Fault.LOST, Fault.SLOW_DOWN)
    with fault_proxy.dealing(scripted(*faults)):
        assert [entry.path for entry in s3.list()] == paths
        s3.delete(paths[:1150])
        assert [entry.path for entry in s3.list()] == paths[1150:]
    assert s3.retries == fault_proxy.retried == 5


def test_a_missing_bucket_is_named_at_once(proxy: FaultProxy, make_s3: MakeS3) -> None:
    make_s3(proxy)
    for _, act in ACTIONS.values():
        s3 = S3Storage("no-such-bucket", "here", Retry(attempts=5))
        with pytest.raises(MissingBucket, match=r"s3://no-such-bucket/here.* no bucket 'no-such-bucket' at http://127"):
            act(s3)
        assert s3.retries == 0


def test_a_wrong_secret_is_explained_at_once(
    rclone_server: S3Server, make_s3: MakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = make_s3(rclone_server)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for _, act in ACTIONS.values():
        with pytest.raises(PermissionDenied, match=r"credentials.*(AWS_SECRET_ACCESS_KEY|Check the keys)"):
            act(s3)
    assert s3.retries == 0


def test_no_credentials_are_explained(
    rclone_server: S3Server, make_s3: MakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = make_s3(rclone_server)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(PermissionDenied, match="no complete credentials were found"):
        s3.write("a", b"x")


def test_a_server_that_never_answered_is_given_up_soon(moto_server: S3Server, make_s3: MakeS3) -> None:
    proxy = FaultProxy(moto_server)
    known, unknown = make_s3(proxy), make_s3(proxy)
    known.write("a", b"x")
    proxy.close()
    for s3, attempts in ((unknown, FIRST_CONTACT), (known, 12)):
        with pytest.raises(StorageError, match=rf"{s3.uri}/a: {proxy.endpoint} cannot be reached .tried {attempts} t"):
            s3.head("a")


@pytest.mark.parametrize(
    ("endpoint", "said"), [("not a url", "must look like https://"), ("http://no.such.host.invalid", "be reached")]
)
def test_a_wrong_endpoint_is_explained(monkeypatch: pytest.MonkeyPatch, endpoint: str, said: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(StorageError, match=said):
        S3Storage("bucket", retry=Retry(first_s=0.01)).read("a")


def test_a_bucket_name_that_s3_forbids_is_explained(make_s3: MakeS3, moto_server: S3Server) -> None:
    make_s3(moto_server)
    with pytest.raises(StorageError, match="S3 does not allow this name"):
        S3Storage("no spaces!").write("a", b"x")


def test_a_pickle_takes_the_endpoint_along_but_no_secret(
    rclone_server: S3Server, make_s3: MakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = make_s3(rclone_server)
    s3.write("a", b"x")
    sent = pickle.dumps(s3)
    assert b"sluice-tests-secret" not in sent
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert pickle.loads(sent).read("a") == b"x"


def read_in_child(s3: S3Storage, path: str, answers: multiprocessing.Queue[tuple[str, set[bytes], int]]) -> None:
    answers.put((path, {s3.read(path) for _ in range(30)}, s3.retries))


def test_forked_processes_do_not_share_connections(rclone_server: S3Server, make_s3: MakeS3) -> None:
    s3 = make_s3(rclone_server)  # which keeps connections open, as moto does not
    for path in "0123":
        s3.write(path, path.encode() * 1000)
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[tuple[str, set[bytes], int]] = fork.Queue()
    children = [fork.Process(target=read_in_child, args=(s3, path, answers)) for path in "012"]
    for child in children:
        child.start()
    assert {s3.read("3") for _ in range(30)} == {b"3" * 1000}
    assert sorted(answers.get(timeout=30) for _ in children) == [(p, {p.encode() * 1000}, 0) for p in "012"]
    for child in children:
        child.join()
    assert s3.retries == 0


def test_a_slow_answer_is_waited_for(proxy: FaultProxy, make_s3: MakeS3) -> None:
    s3 = make_s3(proxy)
    begun = time.monotonic()
    with proxy.dealing(scripted(Fault.SLOW), slow_s=0.3):
        s3.write("a", b"x")
    assert time.monotonic() - begun >= 0.3
    assert s3.retries == 0


MEMORY = """
import resource, sys
from pathlib import Path
from sluice.infra.storage import storage
s3, big = storage(sys.argv[1]), Path(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
s3.write("warm", bytes(1 << 20))
with s3.open("warm") as file:
    file.read()
before, total = peak(), 0
s3.upload("big", big)
with s3.open("big") as file:
    while piece := file.read(1 << 20):
        total += len(piece)
assert total == big.stat().st_size
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_file(rclone_server: S3Server, make_s3: MakeS3, tmp_path: Path) -> None:
    s3 = make_s3(rclone_server)
    with open(tmp_path / "big", "wb") as file:
        file.truncate(112 << 20)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, s3.uri, str(tmp_path / "big")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 64, f"grew by {done.stdout.strip()} MiB over a file of 112 MiB"
