"""Credentials, endpoints, and connections of processes."""

from __future__ import annotations

import multiprocessing
import pickle

import pytest

from sluice.infra.s3.bucket import S3Storage
from sluice.infra.s3.connection import FIRST_CONTACT
from sluice.infra.s3.faults import Retry
from sluice.infra.storage import PermissionDenied, StorageError
from tests.faults.proxy import FaultProxy
from tests.faults.servers import S3Server
from tests.infra.conftest import MakeS3
from tests.infra.s3.actions import ACTIONS


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
