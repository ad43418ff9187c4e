"""That no file of a place holds given keys: every tar, table and text is opened, every name looked at."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Collection, Iterator
from typing import IO, BinaryIO

import pyarrow.parquet as pq
from pyarrow import ArrowException

from sluice.infra.local import TEMPORARY, LocalStorage
from sluice.infra.parallel import in_threads
from sluice.infra.storage import Storage
from sluice.preprocess.planning.index import KEY_DIGITS
from sluice.preprocess.verify.problems import Problem, first

HEX = re.compile(rb"[0-9a-f]{%d,}" % KEY_DIGITS)
BLOCK = 1 << 20
WITHDRAW = "remove these keys again with --withdraw while nothing else is at work, or delete the file"


def find_keys(storage: Storage, keys: Collection[str], workers: int | None = None) -> Iterator[Problem]:
    """A problem for each file that still names one of the keys (16 hex digits), in what it says or in its own name.

    What cannot be opened is a problem too, for it proves nothing, and so is a place without a file. Every byte under
    the storage is read, by `workers` threads (by default one a core).
    """
    wanted = frozenset(key.encode() for key in keys)
    paths, empty = (entry.path for entry in storage.list()), True
    for found in in_threads(lambda path: list(_in_file(storage, path, wanted)), paths, workers):
        yield from found
        empty = False
    if empty:
        yield Problem(storage.uri, "holds no file, so that nothing is proved", "name the place that was written to")
    if isinstance(storage, LocalStorage):
        for file in sorted(storage.root.rglob(f"{TEMPORARY}*")):
            path = file.relative_to(storage.root).as_posix()
            yield Problem(path, "was left by a writer that was killed, and no one looks into it", "delete it")


def _in_file(storage: Storage, path: str, wanted: frozenset[bytes]) -> Iterator[Problem]:
    try:
        places = _places(storage, path, wanted)
        found = list(dict.fromkeys(f"holds {key} {where}".strip() for key, where in places))
    except (ArrowException, OSError, tarfile.TarError, EOFError) as error:
        yield Problem(path, f"cannot be looked into ({error})", "delete it, or mend it and look again")
        return
    if found:
        yield Problem(path, "; ".join(first(found)), WITHDRAW)


def _places(storage: Storage, path: str, wanted: frozenset[bytes]) -> Iterator[tuple[str, str]]:
    """The keys that a file names, and where in it."""
    yield from ((key, "in its name") for key in _search(path.encode(), wanted))
    with storage.open(path) as stream:
        inside = _inside(path, stream, wanted)
        stream.seek(0)
        yield from inside or ((key, "") for key in _in_bytes(stream, wanted))


def _inside(path: str, stream: BinaryIO, wanted: frozenset[bytes]) -> list[tuple[str, str]]:
    """What unpacking a file brings to light."""
    if path.endswith((".tar", ".tar.gz", ".tgz")):
        return list(_in_tar(stream, wanted))
    return list(_in_table(stream, wanted)) if path.endswith(".parquet") else []


def _search(data: bytes, wanted: frozenset[bytes]) -> Iterator[str]:
    for run in HEX.finditer(data):
        digits = run.group()
        for start in range(len(digits) - KEY_DIGITS + 1):
            if digits[start : start + KEY_DIGITS] in wanted:
                yield digits[start : start + KEY_DIGITS].decode()


def _in_bytes(stream: IO[bytes], wanted: frozenset[bytes]) -> Iterator[str]:
    """In a stream of any length, block by block; the end of a block is looked at again with the next one."""
    end = b""
    while block := stream.read(BLOCK):
        yield from _search(end + block, wanted)
        end = (end + block)[1 - KEY_DIGITS :]


def _in_tar(stream: BinaryIO, wanted: frozenset[bytes]) -> Iterator[tuple[str, str]]:
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        for member in tar:
            yield from ((key, f"as {member.name}") for key in _search(member.name.encode(), wanted))
            content = tar.extractfile(member)
            if content is not None:
                yield from ((key, f"within {member.name}") for key in _in_bytes(content, wanted))


def _in_table(stream: BinaryIO, wanted: frozenset[bytes]) -> Iterator[tuple[str, str]]:
    row = 0
    for batch in pq.ParquetFile(stream).iter_batches():
        for values in batch.to_pylist():
            for column, value in values.items():
                said = value if isinstance(value, bytes) else json.dumps(value, default=repr).encode()
                yield from ((key, f"in {column} of row {row}") for key in _search(said, wanted))
            row += 1
