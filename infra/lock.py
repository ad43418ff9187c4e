"""A folder for one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sluice.infra.errors import SluiceError

LOCK = ".lock"
OCCUPIED = (
    "{} is being written by another process of Sluice: wait until it is done, stop it, or give this one an --out of "
    "its own."
)


class Occupied(SluiceError):
    """Another process works in the folder."""


class NoFolder(SluiceError):
    """A folder cannot be made where a file is."""


@contextmanager
def alone_in(folder: Path, occupied: str = OCCUPIED) -> Iterator[None]:
    """Hold a folder, which is made, to the block's end; a process that dies lets go. Raises Occupied, NoFolder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NoFolder(f"{folder} is to be a folder, and a file is in its way: name another one") from error
    with (folder / LOCK).open("w") as lock:
        with suppress(OSError):  # a file system without locks
            _hold(lock.fileno(), occupied.format(folder))
        yield


def is_held(folder: Path) -> bool:
    """Whether a process holds a folder now; looking makes nothing there."""
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never held, or a file system without locks
        return False
    return False


def _hold(lock: int, occupied: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Occupied(occupied) from error
