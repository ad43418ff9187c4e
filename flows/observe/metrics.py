"""Figures for Prometheus on one port, for as long as a run lasts."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import make_wsgi_app, start_wsgi_server

from sluice.infra.loopback import is_loopback
from sluice.infra.private import keep_secret, read_private
from sluice.infra.settings import ConfigError

log = logging.getLogger("sluice.observe")

TOKEN = Path("~/.config/sluice/metrics_token")
"""What those who ask from elsewhere must bring."""


def serve_metrics(address: str) -> None:
    """Answer at PORT of this machine alone, or at HOST:PORT whoever brings the token of ~/.config/sluice/metrics_token.

    A port that is taken is no reason to end a run: it is said, and the run is not measured. Raises ConfigError.
    """
    host, port = host_and_port(address)
    token = None if is_loopback(host) else _token()
    try:
        server, _ = start_wsgi_server(port, host)
    except OSError as error:
        log.warning("no figures at %s: %s", address, error.strerror)
        return
    if token is not None:
        server.set_app(_asking(token, make_wsgi_app()))


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
