"""Buckets: pages and batches, files that change, names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.infra.s3.bucket import READ_AHEAD, S3Storage
from sluice.infra.s3.faults import Retry
from sluice.infra.storage import MissingBucket, StorageError
from tests.faults.proxy import Fault, FaultProxy, scripted
from tests.faults.servers import S3Server
from tests.infra.conftest import QUICK, MakeS3
from tests.infra.s3.actions import ACTIONS


def test_a_file_replaced_while_it_is_read_is_noticed(proxy: FaultProxy, make_s3: MakeS3) -> None:
    s3 = make_s3(proxy)
    s3.write("a", bytes(READ_AHEAD + 1000))
    with s3.open("a") as file:
        file.read(1)
        s3.write("a", b"\1" * (READ_AHEAD + 1000))
        with pytest.raises(StorageError, match="was replaced while it was being read"):
            file.read()


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


def test_a_bucket_name_that_s3_forbids_is_explained(make_s3: MakeS3, moto_server: S3Server) -> None:
    make_s3(moto_server)
    with pytest.raises(StorageError, match="S3 does not allow this name"):
        S3Storage("no spaces!").write("a", b"x")
