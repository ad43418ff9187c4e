"""Figures for Prometheus on one port, for as long as a run lasts."""

from __future__ import annotations

import hmac
import logging
import socket
from collections.abc import Iterable
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from sluice.infra.loopback import is_loopback
from sluice.infra.private import keep_secret, read_private
from sluice.infra.settings import ConfigError

log = logging.getLogger("sluice.observe")

TOKEN = Path("~/.config/sluice/metrics_token")
"""What those who ask from elsewhere must bring."""


class _IPv6Server(ThreadingWSGIServer):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing of what is asked."""


def serve_metrics(address: str) -> None:
    """Answer at PORT of this machine alone, or at HOST:PORT whoever brings the token of ~/.config/sluice/metrics_token.

    A port that is taken is no reason to end a run: it is said, and the run is not measured. Raises ConfigError.
    """
    host, port = host_and_port(address)
    app = make_wsgi_app() if is_loopback(host) else _asking(_token(), make_wsgi_app())
    try:
        server = make_server(host, port, app, _IPv6Server if ":" in host else ThreadingWSGIServer, _Quiet)
    except OSError as error:
        log.warning("no figures at %s: %s", address, error.strerror)
        return
    Thread(target=server.serve_forever, daemon=True).start()


def host_and_port(address: str) -> tuple[str, int]:
    """Where to answer, by PORT or HOST:PORT. Raises ConfigError."""
    host, colon, port = address.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 2**16 or (colon and not host):
        raise ConfigError(f"--metrics {address}: give PORT, or HOST:PORT for others than this machine; such as 9464")
    return host.strip("[]") or "127.0.0.1", int(port)


def _token() -> str:
    keep_secret(TOKEN)
    return read_private(TOKEN, "the token of --metrics", "delete it, and the next run makes another one")


def _asking(token: str, app: WSGIApplication) -> WSGIApplication:
    wanted = f"Bearer {token}".encode()

    def asked(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if hmac.compare_digest(environ.get("HTTP_AUTHORIZATION", "").encode(), wanted):
            return app(environ, start)
        start("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
        return [b"the token of ~/.config/sluice/metrics_token is asked for\n"]

    return asked
