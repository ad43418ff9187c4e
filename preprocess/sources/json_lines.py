"""A large file of JSON lines, looked up by one field, with 16 bytes of memory a line."""

from __future__ import annotations

import hashlib
import json
from array import array
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np

from sluice.infra.storage import Storage, storage


class JsonLines:
    """Lines `{"<field>": ..., ...}` of a stored file; lines that are no JSON object with this field are passed over."""

    def __init__(self, place: Storage, path: str, field: str) -> None:
        self.field = field
        self.stream = place.open(path)
        self._reading = Lock()
        marks, offsets, at = array("Q"), array("Q"), 0
        for line in self.stream:
            value = _parse(line)
            if isinstance(value.get(field), str):
                marks.append(_mark(value[field]))
                offsets.append(at)
            at += len(line)
        order = np.argsort(np.asarray(marks, np.uint64), kind="stable")
        self.marks = np.asarray(marks, np.uint64)[order]
        self.offsets = np.asarray(offsets, np.uint64)[order]

    def find(self, value: str) -> dict[str, Any] | None:
        """The first line whose field has this value, or None."""
        start, stop = (np.searchsorted(self.marks, np.uint64(_mark(value)), side) for side in ("left", "right"))
        for offset in self.offsets[start:stop]:
            line = _parse(self._line(int(offset)))
            if line.get(self.field) == value:
                return line
        return None

    def _line(self, offset: int) -> bytes:
        with self._reading:  # threads that scan share one stream
            self.stream.seek(offset)
            return self.stream.readline()


@lru_cache(maxsize=16)
def json_lines(uri: str, path: str, stamp: str, field: str) -> JsonLines:  # noqa: ARG001
    """A file's lines, opened once a process; a changed `stamp` opens it again."""
    return JsonLines(storage(uri), path, field)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _mark(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
