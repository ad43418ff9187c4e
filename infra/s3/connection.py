"""The way to S3: one client for each process and settings, and one retry rule around every request."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError
from botocore.parsers import ResponseParserError

from sluice.infra.logins import LOGIN, without_logins
from sluice.infra.s3.faults import Fault, Retry, explain, passes
from sluice.infra.storage import StorageError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T")

log = logging.getLogger("sluice.storage")

CONNECTIONS = 32
FIRST_CONTACT = 3


class Connection:
    """Requests about one bucket, repeated while the fault is one that passes.

    Its pickle leaves out what it counted. AWS_ENDPOINT_URL is read at once, so that a worker talks to the
    server of the driver that sent it; credentials are never pickled.
    """

    def __init__(self, bucket: str, retry: Retry, timeout_s: float) -> None:
        self.bucket, self.retry, self.timeout_s = bucket, retry, timeout_s
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if self.endpoint and LOGIN.search(self.endpoint):
            raise StorageError(
                f"AWS_ENDPOINT_URL, {without_logins(self.endpoint)}, has a login in it, which S3 does not use: take it "
                "out. Who may do what is told by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        self.answered = self.bucket_seen = False
        self.retries = 0
        self._counting = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("retries", "_counting")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.retries = 0
        self._counting = threading.Lock()

    def call(self, action: str, uri: str, request: Callable[[S3Client], T]) -> T:
        """The request's result; `action` (a verb) and `uri` name it in the log and in the StorageError raised."""
        attempt = 1
        while True:
            try:
                result = request(self._client(uri))
            except (ClientError, BotoCoreError, ResponseParserError) as fault:
                self.answered = self.answered or isinstance(fault, ClientError)
                if not passes(fault) or attempt >= self._allowed(fault):
                    raise explain(fault, uri, action, self.bucket, self._server(), attempt) from fault
                self._wait(action, uri, attempt, fault)
                attempt += 1
            else:
                self.answered = self.bucket_seen = True
                return result

    def _allowed(self, fault: Fault) -> int:
        # Who never answered is more likely a wrong address than an outage: say so soon.
        unreachable = isinstance(fault, ConnectionError) and not self.answered
        return min(FIRST_CONTACT, self.retry.attempts) if unreachable else self.retry.attempts

    def _wait(self, action: str, uri: str, attempt: int, fault: Fault) -> None:
        with self._counting:
            self.retries += 1
        wait_s = self.retry.wait_s(attempt)
        message = "could not %s %s (attempt %d of %d), again in %.1f s: %s"
        log.warning(message, action, uri, attempt, self._allowed(fault), wait_s, without_logins(str(fault)))
        time.sleep(wait_s)

    def _server(self) -> str:
        return self.endpoint or "the default endpoint of S3"

    def _client(self, uri: str) -> S3Client:
        settings = frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
        try:
            return _client(self.endpoint, self.timeout_s, settings, os.getpid())
        except ValueError as error:
            raise StorageError(
                f"{uri} cannot be reached: {error}. AWS_ENDPOINT_URL must look like https://host:port."
            ) from error


@lru_cache(maxsize=8)
def _client(endpoint: str | None, timeout_s: float, settings: Hashable, process: int) -> S3Client:  # noqa: ARG001
    """One client for all storages with the same settings: it takes a fifth of a second to make.

    The process is among the settings because a forked child must not use its parent's sockets.
    """
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=min(10.0, timeout_s),
        read_timeout=timeout_s,
        max_pool_connections=CONNECTIONS,
        # Some servers answer a range with the whole object's checksum.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)
