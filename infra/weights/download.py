"""Fetch a URL into a file: continues a partial download, starts over where the server cannot continue."""

from __future__ import annotations

import base64
import http.client
import netrc
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from sluice.infra.errors import SluiceError
from sluice.infra.logins import without_logins
from sluice.infra.weights.pip_settings import PipSettings

Progress = Callable[[int, int], None]
BLOCK = 1 << 20
ATTEMPTS = 5
PASSING = {408, 425, 429, 500, 502, 503, 504}
BROKEN = (TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException)


class Interrupted(SluiceError):
    """A download that did not finish; what has arrived is worth keeping."""


class Unreachable(Interrupted):
    """A server did not answer, or kept breaking off."""


class NoSpace(Interrupted):
    """The disk is too small for what is to be written."""


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise NoSpace if `folder`'s disk has fewer than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpace(
            f"{what} needs {needed / 1e6:,.1f} MB on the disk of {folder}, which has {free / 1e6:,.1f} MB left; "
            "make room, or set SLUICE_MODELS to a folder on a larger disk."
        )


class Opener:
    """Opens URLs the way pip is set up to: its certificate, proxy, trusted hosts; logins from the URL or ~/.netrc."""

    def __init__(self, settings: PipSettings) -> None:
        self.settings = settings

    def __call__(self, url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """The open response to a GET; raises urllib.error.URLError or OSError."""
        parts = urlsplit(url)
        request = urllib.request.Request(without_credentials(url), headers=headers or {})
        login = _login(parts)
        if login is not None:
            request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
        response: http.client.HTTPResponse = self._director(parts.hostname).open(request, timeout=self.settings.timeout)
        return response

    def _director(self, host: str | None) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context(cafile=self.settings.cert)
        if host in {trusted.partition(":")[0] for trusted in self.settings.trusted_hosts}:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
        if self.settings.proxy:
            handlers.append(urllib.request.ProxyHandler({"http": self.settings.proxy, "https": self.settings.proxy}))
        return urllib.request.build_opener(*handlers)


def _login(parts: SplitResult) -> str | None:
    """`user:password` for a URL's host, or None."""
    if parts.username is not None:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    try:
        known = netrc.netrc().authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        return None
    return f"{known[0]}:{known[2]}" if known else None


def without_credentials(url: str) -> str:
    """The URL as it may be shown."""
    return urlunsplit(urlsplit(without_logins(url))._replace(fragment=""))


def fetch(url: str, to: Path, opener: Opener, progress: Progress | None = None, wait: float = 1.0) -> bool:
    """Bring `url` into the file `to`, going on from what `to` already holds; True if it did go on.

    A connection that breaks is taken up again up to five times, `wait` seconds apart at first, then twice as long.
    Raises Unreachable when that does not help and NoSpace before the first byte of a body too large for the disk.
    """
    continued = False
    for attempt in range(ATTEMPTS):
        try:
            complete, went_on = _attempt(url, to, opener, progress)
            continued |= went_on
            if complete:
                return continued
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code not in PASSING:
                raise Unreachable(
                    f"{without_credentials(url)} answered {error.code} ({error.reason}); check the login and the "
                    "settings that `pip config list` shows, or give the file with `sluice models "
                    "pull NAME --from FOLDER`."
                ) from error
            reason = f"it answered {error.code}"
        except (urllib.error.URLError, *BROKEN) as error:
            reason = str(error)
        if attempt + 1 < ATTEMPTS:
            time.sleep(wait * 2**attempt)
    raise Unreachable(
        f"{without_credentials(url)} could not be fetched in {ATTEMPTS} attempts, the last because {reason}. "
        "What has arrived is kept: the same command goes on from there."
    )


def _attempt(url: str, to: Path, opener: Opener, progress: Progress | None) -> tuple[bool, bool]:
    """One request: (is the file complete?, did it go on from an earlier part?)."""
    have = to.stat().st_size if to.exists() else 0
    # Compressed transfer would make byte ranges count something else than the file's bytes.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = opener(url, headers)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return True, True
        to.unlink()
        return _attempt(url, to, opener, progress)
    with response:
        if response.status == 206 and not _starts_at(response, have):
            to.unlink()
            return _attempt(url, to, opener, progress)
        done = have if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else 0
        require_space(to.parent, total - done, Path(urlsplit(url).path).name)
        with to.open("ab" if done else "wb") as file:
            done = copy_stream(response, file, done, total, progress)
    return not total or done == total, response.status == 206


def _starts_at(response: http.client.HTTPResponse, offset: int) -> bool:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == offset


def copy_stream(
    source: IO[bytes] | http.client.HTTPResponse, to: IO[bytes], done: int, total: int, progress: Progress | None
) -> int:
    """Copy to the end, telling `progress(done, total)`; the count of bytes including the `done` at the start."""
    while block := source.read(BLOCK):
        to.write(block)
        done += len(block)
        if progress is not None:
            progress(done, total)
    return done
