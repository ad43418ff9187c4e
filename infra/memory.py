"""A bound on the memory that one piece of code may ask for, while it looks at bytes that others made."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATM = Path("/proc/self/statm")
KNOWN = STATM.exists()
PAGE = resource.getpagesize()


class _Bound:
    """The soft RLIMIT_DATA of this process, which counts private memory and not the shared one of Ray's objects."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks, self._allowed, self._base = 0, 0, 0
        self._before = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    def add(self, size: int) -> None:
        """Blocks of several threads share one bound: what all of them may ask for."""
        with self._lock:
            if not self._blocks:
                self._before, self._base = resource.getrlimit(resource.RLIMIT_DATA), _in_use()
            self._blocks, self._allowed = self._blocks + 1, self._allowed + size
            self._set()

    def remove(self, size: int) -> None:
        with self._lock:
            self._blocks, self._allowed = self._blocks - 1, self._allowed - size
            self._set()

    def _set(self) -> None:
        soft, hard = self._before
        bound = self._base + self._allowed if self._blocks else soft
        resource.setrlimit(resource.RLIMIT_DATA, (bound if soft == resource.RLIM_INFINITY else min(bound, soft), hard))


_BOUND = _Bound()


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Let this process ask for no more than `size` bytes beyond what it has, while the block runs: then MemoryError.

    A library may make something else of it. Where Linux's /proc is missing nothing is bounded.
    """
    if not KNOWN:
        yield
        return
    _BOUND.add(size)
    try:
        yield
    finally:
        _BOUND.remove(size)


def _in_use() -> int:
    """Bytes of private memory, stacks included."""
    with open(STATM, "rb", buffering=0) as file:
        return int(file.read().split()[5]) * PAGE
