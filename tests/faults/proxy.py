"""A proxy that misbehaves: it stands before a real S3 server and spoils the answers that a plan tells it to."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.faults.servers import S3Server


class Fault(Enum):
    """What can happen to a request."""

    ERROR_500 = "500 instead of the answer"
    SLOW_DOWN = "503 SlowDown instead of the answer"
    RESET = "connection reset in the middle of the request"
    LOST = "the request is carried out, its answer is lost"
    CUT = "the answer's body ends in the middle"
    SLOW = "the answer comes late"
    DAMAGED = "a byte of the request's body arrives changed"
    DENIED = "403 AccessDenied instead of the answer"


@dataclass(frozen=True)
class Request:
    """What a plan sees: `number` counts all requests from 0."""

    number: int
    method: str
    target: str


BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")
INSTEAD = {
    Fault.ERROR_500: (500, "InternalError"),
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.DENIED: (403, "AccessDenied"),
}
PASSING = tuple(fault for fault in Fault if fault not in (Fault.DAMAGED, Fault.DENIED))

Plan = Callable[[Request], Fault | None]


def nothing(_: Request) -> None:
    """A plan without faults."""


def scripted(*faults: Fault | None, method: str = "", target: str = "") -> Plan:
    """These faults one after the other, for requests of this method whose target holds this text; then none."""
    script, lock = iter(faults), threading.Lock()

    def plan(request: Request) -> Fault | None:
        if method not in ("", request.method) or target not in request.target:
            return None
        with lock:
            return next(script, None)

    return plan


def seeded(rate: float, seed: int, faults: Sequence[Fault] = PASSING) -> Plan:
    """Each request meets a fault with this probability; the same number, the same fault."""

    def plan(request: Request) -> Fault | None:
        draw = random.Random(f"{seed}/{request.number}")
        return draw.choice(faults) if draw.random() < rate else None

    return plan


class FaultProxy:
    """An HTTP endpoint before `server`; `counts` says which faults were dealt, `requests` how many came in all."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.counts: Counter[Fault] = Counter()
        self.requests = 0
        self.closed = False
        self.slow_s = 0.0
        self._plan: Plan = nothing
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.proxy = self
        self.endpoint = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach the server through this proxy."""
        return self.server.environment | {"AWS_ENDPOINT_URL": self.endpoint}

    @property
    def retried(self) -> int:
        """How many of the faults dealt so far make a client repeat its request."""
        return sum(count for fault, count in self.counts.items() if fault not in (Fault.SLOW, Fault.DENIED))

    @contextmanager
    def dealing(self, plan: Plan, slow_s: float = 0.05) -> Iterator[FaultProxy]:
        """Deal faults by this plan while the block runs; counts start from nothing, slow answers take this long."""
        with self._lock:
            self._plan, self.slow_s, self.requests, self.counts = plan, slow_s, 0, Counter()
        try:
            yield self
        finally:
            self._plan = nothing

    def draw(self, method: str, target: str) -> Fault | None:
        """The fault for the next request, not counted yet."""
        with self._lock:
            self.requests += 1
            return self._plan(Request(self.requests - 1, method, target))

    def count(self, fault: Fault) -> None:
        with self._lock:
            self.counts[fault] += 1

    def close(self) -> None:
        """Take the endpoint away: connections that are still open are reset when they are used."""
        self.closed = True
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    proxy: FaultProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are this proxy's daily bread; anything else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        proxy = self.server.proxy
        if proxy.closed:
            return self._hang_up(reset=True)
        length = int(self.headers.get("Content-Length", 0))
        fault = _possible(proxy.draw(self.command, self.path), length)
        if fault is Fault.RESET:
            proxy.count(fault)
            self.rfile.read(length // 2)
            return self._hang_up(reset=True)
        body = self.rfile.read(length)
        if fault in INSTEAD:
            proxy.count(fault)
            return self._refuse(*INSTEAD[fault])
        if fault is Fault.DAMAGED:
            proxy.count(fault)
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault is Fault.SLOW:
            proxy.count(fault)
            time.sleep(proxy.slow_s)
        return self._relay(fault, body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def _relay(self, fault: Fault | None, body: bytes) -> None:
        """Pass the request on and its answer back: whole, in part, or not at all."""
        reply, content = self._forward(body)
        whole_anyway = not content or reply.status >= 400  # of an error the status is enough
        if fault is Fault.LOST or (fault is Fault.CUT and whole_anyway):
            self.server.proxy.count(Fault.LOST)
            return self._hang_up(reset=True)
        length = reply.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        kept = [(name, value) for name, value in reply.getheaders() if name.lower() not in BY_HOP]
        headers = [f"{name}: {value}" for name, value in [*kept, ("Content-Length", length)]]
        head = "\r\n".join([f"HTTP/1.1 {reply.status} {reply.reason}", *headers, "", ""]).encode("latin-1")
        if fault is Fault.CUT:
            self.server.proxy.count(fault)
            self.wfile.write(head + content[: len(content) // 2])
            return self._hang_up(reset=False)
        self.wfile.write(head + content)
        return None

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        upstream = http.client.HTTPConnection(urlsplit(self.server.proxy.server.endpoint).netloc, timeout=60)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)  # Host is signed
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                upstream.putheader(name, value)
        upstream.endheaders(body or None)
        with upstream.getresponse() as reply:
            content = reply.read()
        upstream.close()
        return reply, content

    def _refuse(self, status: int, code: str) -> None:
        xml = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the fault proxy</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(xml)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(xml)

    def _hang_up(self, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


def _possible(fault: Fault | None, length: int) -> Fault | None:
    """A request without a body cannot be damaged in it."""
    return None if fault is Fault.DAMAGED and length == 0 else fault
