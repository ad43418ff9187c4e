"""Find and fetch a package's archive through pip's or npm's own configuration; nothing is installed, no code is run.

`pip download` would run an sdist's setup.py, so the archive is looked up here by the Simple API (PEP 503, PEP 691).
"""

from __future__ import annotations

import hashlib
import html.parser
import json
import re
import shutil
import subprocess
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urljoin, urlsplit

from sluice.infra.download import Opener, Progress, Unreachable, fetch, without_credentials
from sluice.infra.errors import SluiceError
from sluice.infra.pip_settings import pip_settings

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.1"
ArchiveKind = Literal["wheel", "sdist", "npm"]


class NoArchive(SluiceError):
    """No configured index offers the archive, or what it offers is not what it says."""


@dataclass(frozen=True)
class Link:
    """An archive that an index offers: file name, URL and, where the index tells it, SHA-256."""

    name: str
    url: str
    sha256: str | None = None


def fetch_archive(
    package: str, version: str, kind: ArchiveKind, folder: Path, progress: Progress | None = None
) -> Path:
    """The archive of exactly this version, in `folder` or where a local index has it.

    Raises NoArchive if no index has it and Unreachable if one does not answer.
    """
    if kind == "npm":
        return _npm_pack(package, version, folder)
    settings = pip_settings()
    opener = Opener(settings)
    link = _find(package, version, kind, opener)
    if urlsplit(link.url).scheme == "file":
        return _local(link.url)
    archive = folder / link.name
    continued = fetch(link.url, archive, opener, progress)
    if continued and not _matches(archive, link):
        # What was there before may have been of another file; only a whole new copy can tell.
        archive.unlink()
        fetch(link.url, archive, opener, progress)
    if not _matches(archive, link):
        archive.unlink()
        raise NoArchive(
            f"{without_credentials(link.url)} does not have the SHA-256 that its index promises ({link.sha256}); "
            "the file was thrown away. Try again, or ask whoever runs the index."
        )
    return archive


def _matches(archive: Path, link: Link) -> bool:
    if link.sha256 is None:
        return True
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == link.sha256


def _find(package: str, version: str, kind: ArchiveKind, opener: Opener) -> Link:
    settings = opener.settings
    failures = []
    for place in settings.places:
        try:
            for link in _links(place, package, place in settings.links, opener):
                if _is_archive_of(link.name, package, version, kind):
                    return link
        except (urllib.error.URLError, OSError, ValueError) as error:
            if not (isinstance(error, urllib.error.HTTPError) and error.code == 404):
                failures.append(f"{without_credentials(place)}: {error}")
    looked = ", ".join(without_credentials(place) for place in settings.places) or "nowhere, no index is configured"
    if failures:
        raise Unreachable(
            f"The {kind} of {package} {version} was looked for in {looked}, but not all of these answered "
            f"({'; '.join(failures)}). Check the network and `pip config list`, or give the file with `--from FOLDER`."
        )
    raise NoArchive(
        f"No {kind} of {package} {version} was found; looked in {looked} (from `pip config list`). "
        "Point pip at an index that has it, or give the file with `--from FOLDER`."
    )


def _is_archive_of(name: str, package: str, version: str, kind: ArchiveKind) -> bool:
    suffixes = (".whl",) if kind == "wheel" else (".tar.gz", ".tgz", ".tar.bz2", ".zip")
    if not name.endswith(suffixes):
        return False
    stem = _normal(name)
    wanted = f"{_normal(package)}-{_normal(version)}"
    return stem.startswith(f"{wanted}-") if kind == "wheel" else stem in {wanted + _normal(s) for s in suffixes}


def _normal(name: str) -> str:
    """A name as PEP 503 compares it; dots count as dashes, in versions too, on both sides alike."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _links(place: str, package: str, flat: bool, opener: Opener) -> Iterator[Link]:
    """The links of a `find-links` place (`flat`) or of the package's page in an index."""
    local = _local(place)
    if urlsplit(place).scheme in {"", "file"}:
        folder = local if flat else local / _normal(package)
        if folder.is_dir() and not (folder / "index.html").exists():
            yield from (Link(file.name, file.absolute().as_uri()) for file in sorted(folder.iterdir()))
            return
        page = folder / "index.html" if folder.is_dir() else folder
        if page.exists():
            yield from _html_links(page.read_text(errors="replace"), page.absolute().as_uri())
        return
    url = place if flat else f"{place.rstrip('/')}/{_normal(package)}/"
    with opener(url, {"Accept": ACCEPT}) as response:
        text = response.read().decode(errors="replace")
        base = response.geturl()
        kind = response.headers.get_content_type()
    # Credentials of the index also open its files, if they lie on the same host.
    base = _with_credentials(base, url)
    yield from _json_links(json.loads(text), base) if kind.endswith("json") else _html_links(text, base)


def _with_credentials(base: str, url: str) -> str:
    login, found, _ = urlsplit(url).netloc.rpartition("@")
    parts = urlsplit(base)
    same_host = parts.hostname == urlsplit(url).hostname
    return parts._replace(netloc=f"{login}@{parts.netloc}").geturl() if found and same_host else base


def _json_links(page: dict[str, Any], base: str) -> Iterator[Link]:
    for file in page["files"]:
        yield Link(file["filename"], urljoin(base, file["url"]), file.get("hashes", {}).get("sha256"))


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
    anchors.feed(text)
    for href in anchors.hrefs:
        url = urljoin(urljoin(base, anchors.base or ""), href)
        parts = urlsplit(url)
        digest = re.match(r"sha256=([0-9a-f]{64})", parts.fragment)
        yield Link(unquote(Path(parts.path).name), url, digest[1] if digest else None)


def _local(place: str) -> Path:
    parts = urlsplit(place)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(place)


def _npm_pack(package: str, version: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise NoArchive(
            f"{package} {version} is an npm package and npm is not installed; install it (Debian: `apt-get install "
            "npm`), or give the file with `--from FOLDER`."
        )
    command = [npm, "pack", f"{package}@{version}", "--ignore-scripts", "--json", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        raise Unreachable(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return folder / str(json.loads(done.stdout)[0]["filename"])
