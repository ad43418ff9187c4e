"""Files in parts: lost answers, uploads that fail or are killed, memory."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from sluice.infra.s3.bucket import S3Storage
from sluice.infra.s3.faults import Retry
from sluice.infra.s3.multipart import PART
from sluice.infra.storage import StorageError
from tests.faults.proxy import Fault, FaultProxy, Request, scripted
from tests.faults.servers import S3Server
from tests.infra.conftest import MakeS3


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
