"""Two real S3 servers on this machine, which differ as vendors do, and what a process needs to reach them."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

KEY, SECRET = "sluice-tests", "sluice-tests-secret"


@dataclass(frozen=True)
class S3Server:
    """A running server, by its endpoint."""

    name: str
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it: the endpoint and credentials, and nothing of the user's own settings."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        bucket = f"test-{uuid.uuid4().hex[:12]}"
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket=bucket)
        return bucket


@contextmanager
def moto() -> Iterator[S3Server]:
    """moto's server: AWS's semantics, in memory; it lets every secret in and does not check Content-MD5."""
    with _running([_program("moto_server"), "-H", "127.0.0.1", "-p", "0"]) as endpoint:
        yield S3Server("moto", endpoint)


@contextmanager
def rclone(folder: Path) -> Iterator[S3Server]:
    """`rclone serve s3`: buckets are folders of real files; it checks signatures and ignores write conditions."""
    command = [_program("rclone"), "serve", "s3", str(folder), "--addr", "127.0.0.1:0", "--config", ""]
    with _running([*command, "--auth-key", f"{KEY},{SECRET}", "--vfs-cache-mode", "off"]) as endpoint:
        yield S3Server("rclone", endpoint)


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@contextmanager
def _running(command: Sequence[str]) -> Iterator[str]:
    """Run a server until the block ends; yields the URL that it prints when it is ready."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield _announced(process)
    finally:
        process.terminate()
        process.wait(10)


def _announced(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if match := re.search(r"http://127\.0\.0\.1:\d+", line):
            threading.Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills and it hangs
            return match[0]
    raise RuntimeError(f"{process.args!r} did not start:\n{said}")
