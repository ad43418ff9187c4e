"""Where bytes lie: one contract for a local folder and for S3.

Paths are relative to the storage's URI, with `/` between folders. A file is there whole or not at all, a listing comes
in the order of the paths' bytes, and every error is a paragraph that names the place and the next step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from sluice.infra.errors import SluiceError
from sluice.infra.logins import LOGIN, without_logins


class StorageError(SluiceError, OSError):
    """A file could not be listed, read, written or deleted; the message says which, why and what to do."""


class MissingFile(StorageError):
    """There is no file of this path."""


class MissingBucket(StorageError):
    """The bucket does not exist."""


class PermissionDenied(StorageError):
    """The place is there, but not for these credentials or this user."""


class FileDenied(PermissionDenied):
    """It is this one file's own permissions that forbid it."""


class Unreachable(StorageError):
    """Who keeps it does not answer, or not with what was asked, however often it was tried."""

    exit_code = 1


class NoSpace(StorageError):
    """The disk, the quota or the file size limit is used up."""

    exit_code = 1


@dataclass(frozen=True)
class Entry:
    """One file as a listing shows it; `size` in bytes, `stamp` changes with the content (etag, or time and size).

    `modified` is when it was written, in seconds since 1970 by the clock of who keeps it. `outside` marks what a
    symbolic link reaches beyond the storage's root: a link to a folder is listed itself and not entered. A link to
    nothing is listed too; reading it raises MissingFile.
    """

    path: str
    size: int
    stamp: str
    modified: float = field(compare=False)  # servers tell it in seconds here and in milliseconds there
    outside: bool = False


class Storage(Protocol):
    """A folder or a bucket's prefix. It can be pickled; connections are made in the process that uses them.

    Every method raises a StorageError: MissingFile, MissingBucket, PermissionDenied, NoSpace, or plain.
    """

    @property
    def uri(self) -> str:
        """The absolute folder, or `s3://bucket/prefix`."""

    @property
    def retries(self) -> int:
        """How many attempts were repeated so far, in this process."""

    def read(self, path: str) -> bytes:
        """The whole file."""

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, fewer where the file ends."""

    def write(self, path: str, data: bytes) -> None:
        """Put a file, replacing what is there; whole or not at all, verified."""

    def upload(self, path: str, local: Path) -> None:
        """Put a local file of any size, like `write`, in bounded memory; it must not be changed afterwards."""

    def fetch(self, path: str, folder: Path) -> Path:
        """The file where it can be opened by path, for reading only: itself if it is local, else a copy in `folder`."""

    def open(self, path: str) -> BinaryIO:
        """A seekable reader, in bounded memory."""

    def head(self, path: str) -> Entry | None:
        """What a listing would show, or None where there is no file."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every file whose path starts with `prefix`, recursively, in the order of the paths' bytes."""

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The names of the folders right under the folder `prefix`, in order; what is in them is not looked at."""

    def delete(self, paths: Iterable[str]) -> None:
        """Take files away; one that is not there is no error."""

    def sweep(self, older_than_s: float) -> int:
        """Take away what crashed writers left unfinished, if it is older than this; answers how many."""


def storage(uri: str | Path) -> Storage:
    """The storage at a folder's path or at `s3://bucket/prefix`; nothing is touched or connected yet."""
    text = str(uri)
    if LOGIN.search(text):
        raise StorageError(
            f"'{without_logins(text)}' came with a login, which would be written into configurations and logs: take it "
            "out. Keys to a bucket come by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile of ~/.aws."
        )
    if match := re.fullmatch(r"s3://([^/]+)/*(.*)", text, re.DOTALL):
        from sluice.infra.s3.bucket import S3Storage  # boto3 takes a third of a second to import

        return S3Storage(match[1], match[2])
    if not text or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", text):
        raise StorageError(
            f"'{text}' is not a place Sluice can read or write: give a folder's path (photos, /data/out; "
            "without file://) or s3://bucket/prefix."
        )
    from sluice.infra.local import LocalStorage

    return LocalStorage(Path(text))


def stays_inside(path: str) -> bool:
    """Whether a path is one of a storage's: a bucket may list others."""
    return bool(path) and not path.startswith("/") and "\0" not in path and ".." not in path.split("/")


def checked(path: str, uri: str) -> str:
    """The path itself, if it stays inside the storage; else StorageError."""
    if not stays_inside(path):
        raise StorageError(
            f"'{path}' is not a path inside {uri}: it must be relative, not empty, and without '..' or NUL."
        )
    return path
