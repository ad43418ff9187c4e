"""The members of a tar that others made: where each lies, which are refused, and where the tar breaks off."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from sluice.preprocess.sources.safe_paths import printable, unsafe_path
from sluice.preprocess.sources.stored import LARGEST_FILE

# A path has 4 KiB at most; tarfile takes time by the square of a header's length, and reads headers of headers by
# recursion.
LARGEST_HEADER = 32 << 10
DAMAGE = (tarfile.TarError, ValueError, OverflowError)


class BrokenTar(ValueError):
    """The tar cannot be read beyond `offset`."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"the tar breaks at byte {offset}: {reason}")
        self.offset = offset


@dataclass(frozen=True)
class Member:
    """A member: its name, where its data lie in the tar, and why it is refused, if it is."""

    name: str
    offset: int
    size: int
    refused: str | None = None


def members(stream: BinaryIO) -> Iterator[Member]:
    """Every member but folders, from the headers alone.

    Raises BrokenTar at the first header that is not one, that is longer than LARGEST_HEADER or of a size below zero, at
    a member that is cut, and where the end mark is missing. The stream may be read and moved between members.
    """
    total = stream.seek(0, 2)
    stream.seek(0)
    headers = _Headers(stream, total)
    try:
        tar = tarfile.open(fileobj=cast(BinaryIO, headers), mode="r:")  # noqa: SIM115 (the stream is the caller's to close)
    except DAMAGE as error:
        raise BrokenTar(f"not a tar ({error})", 0) from error
    while (info := _next(tar, headers)) is not None:
        if info.size < 0 or tar.offset <= info.offset:
            raise BrokenTar(f"'{printable(info.name)}' has a size below zero", info.offset)
        if info.offset_data + info.size > total:
            raise BrokenTar(f"'{printable(info.name)}' has {info.size} bytes and the file ends before", info.offset)
        if not info.isdir():
            yield Member(info.name, info.offset_data, info.size, _refusal(info))
        tar.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every member it has seen
    _check_end(stream, tar.offset)


@dataclass
class _Headers:
    """A tar of `total` bytes as tarfile reads it: no more than LARGEST_HEADER from one member to the next."""

    stream: BinaryIO
    total: int
    left: int = LARGEST_HEADER

    def read(self, size: int) -> bytes:
        self.left -= size
        if size < 0 or self.left < 0:
            raise tarfile.ReadError(f"a header of more than {LARGEST_HEADER} bytes, or of a size below zero")
        return self.stream.read(size)

    def seek(self, offset: int) -> int:
        if offset > self.total:
            raise tarfile.ReadError("unexpected end of data")
        return self.stream.seek(offset)

    def tell(self) -> int:
        return self.stream.tell()


def _next(tar: tarfile.TarFile, headers: _Headers) -> tarfile.TarInfo | None:
    offset, headers.left = tar.offset, LARGEST_HEADER
    try:
        return tar.next()
    except DAMAGE as error:
        raise BrokenTar(str(error), offset) from error


def _check_end(stream: BinaryIO, offset: int) -> None:
    """tarfile takes a damaged header for the end; the true end is a block of zeros."""
    stream.seek(offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if not block:
        raise BrokenTar("it ends without the end mark", offset)
    if block.strip(b"\0"):
        raise BrokenTar("what follows is not a member", offset)


def _refusal(info: tarfile.TarInfo) -> str | None:
    if not info.isreg() or info.issparse():
        return "a link, a device or a sparse file"
    if info.size > LARGEST_FILE:
        return f"{info.size} bytes, more than the {LARGEST_FILE} that one file may have"
    return unsafe_path(info.name)
