"""What a package index offers: the Simple API as HTML (PEP 503) or JSON (PEP 691), link pages and local folders."""

from __future__ import annotations

import html.parser
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from sluice.infra.weights.download import Opener

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.1"


@dataclass(frozen=True)
class Link:
    """An archive that an index offers: file name, URL and, where the index tells it, SHA-256."""

    name: str
    url: str
    sha256: str | None = None


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def links(place: str, package: str, flat: bool, opener: Opener) -> Iterator[Link]:
    """The links of a `find-links` place (`flat`) or of the package's page in an index.

    Raises what the opener does, and ValueError for a page that is none of an index.
    """
    local = local_path(place)
    if urlsplit(place).scheme in {"", "file"}:
        folder = local if flat else local / normal(package)
        if folder.is_dir() and not (folder / "index.html").exists():
            yield from (Link(file.name, file.absolute().as_uri()) for file in sorted(folder.iterdir()))
            return
        page = folder / "index.html" if folder.is_dir() else folder
        if page.exists():
            yield from _html_links(page.read_text(errors="replace"), page.absolute().as_uri())
        return
    url = place if flat else f"{place.rstrip('/')}/{normal(package)}/"
    with opener(url, {"Accept": ACCEPT}) as response:
        text = response.read().decode(errors="replace")
        base = response.geturl()
        kind = response.headers.get_content_type()
    # Credentials of the index also open its files, if they lie on the same host.
    base = _with_credentials(base, url)
    found = _json_links(text, base) if kind.endswith("json") else _html_links(text, base)
    # A server must not name this machine's own files, nor where to write.
    yield from (link for link in found if urlsplit(link.url).scheme in {"http", "https"} and "/" not in link.name)


def _with_credentials(base: str, url: str) -> str:
    login, found, _ = urlsplit(url).netloc.rpartition("@")
    parts = urlsplit(base)
    same_host = parts.hostname == urlsplit(url).hostname
    return parts._replace(netloc=f"{login}@{parts.netloc}").geturl() if found and same_host else base


def _json_links(text: str, base: str) -> list[Link]:
    try:
        files: list[dict[str, Any]] = json.loads(text)["files"]
        return [Link(str(f["filename"]), urljoin(base, f["url"]), f.get("hashes", {}).get("sha256")) for f in files]
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its JSON is no page of links as PEP 691 has it ({type(error).__name__}: {error})") from error


class _Anchors(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
        elif tag == "base" and href:
            self.base = href


def _html_links(text: str, base: str) -> Iterator[Link]:
    anchors = _Anchors()
    try:
        anchors.feed(text)
    except AssertionError as error:  # so Python's parser says what it cannot read
        raise ValueError(f"its page is no HTML ({error})") from error
    for href in anchors.hrefs:
        url = urljoin(urljoin(base, anchors.base or ""), href)
        parts = urlsplit(url)
        digest = re.match(r"sha256=([0-9a-f]{64})", parts.fragment)
        yield Link(unquote(Path(parts.path).name), url, digest[1] if digest else None)


def local_path(place: str) -> Path:
    parts = urlsplit(place)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(place)
