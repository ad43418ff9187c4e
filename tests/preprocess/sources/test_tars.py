from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Iterator

import pytest

from sluice.preprocess.sources.tars import LARGEST_HEADER, BrokenTar, members

END = bytes(2 * tarfile.BLOCKSIZE)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A GNU header that says `size`, in base 256, whatever follows."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
    block[124:136] = struct.pack(">iq", -1 if size < 0 else -(1 << 31), size)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    return header(name, len(data), kind) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def pax(**said: str) -> bytes:
    text = "".join(f"{len(key) + len(value) + 5:02} {key}={value}\n" for key, value in said.items())
    return member("pax", text.encode("utf-8", "surrogateescape"), tarfile.XHDTYPE)


def sparse(stored: int, whole: int) -> bytes:
    """An old GNU sparse file of `whole` bytes of which `stored` are there."""
    block = bytearray(header("1.jpg", stored, tarfile.GNUTYPE_SPARSE))
    block[483:495] = b"%011o\0" % whole
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


GOOD = member("0.jpg", b"image")


def names(data: bytes) -> Iterator[str]:
    return (member.name for member in members(io.BytesIO(data + END)))


@pytest.mark.parametrize(
    "hostile",
    [
        header("1.jpg", -512),  # leads back to itself
        header("1.jpg", -1),  # would be read to the end of the tar
        header("1.jpg", -(1 << 62)),
        header("1.jpg", 1 << 62),
        header("1.xyz", 1 << 62, b"Z"),
        sparse(-1024, 0),
        sparse(1 << 62, 0),
        pax(size="-512") + member("1.jpg", b""),
        header("long", -512, tarfile.GNUTYPE_LONGNAME),
        header("long", 1 << 62, tarfile.GNUTYPE_LONGNAME),
        header("pax", 1 << 62, tarfile.XHDTYPE),
        member("long", b"x" * LARGEST_HEADER, tarfile.GNUTYPE_LONGNAME),
        member("long", b"", tarfile.GNUTYPE_LONGNAME) * 1000,
        pax(path="\udce9") + header("1.jpg", 1 << 20),
    ],
)
def test_a_header_that_lies_breaks_the_tar_there(hostile: bytes) -> None:
    with pytest.raises(BrokenTar):
        list(names(hostile))
    found = names(GOOD + hostile)
    assert next(found) == "0.jpg"
    with pytest.raises(BrokenTar) as broken:
        list(found)
    assert broken.value.offset >= len(GOOD)
    assert str(broken.value).encode()


def test_long_names_are_read() -> None:
    name = "x" * 4000 + ".jpg"
    long = member("long", name.encode() + b"\0", tarfile.GNUTYPE_LONGNAME) + member("cut", b"image")
    assert list(names(long + pax(path="2.jpg") + GOOD)) == [name, "2.jpg"]
