"""A folder of this machine for files in the making.

A process that is killed leaves its folder behind, so whoever makes one takes away what the dead have left: folders
whose lock nobody holds any more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sluice.infra.storage import NoSpace, StorageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PREFIX, LOCK = "sluice-scratch-", "lock"
YOUNG_SECONDS = 60  # it may not be locked yet


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, gone when the block ends. Raises NoSpace where its disk is full."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, (Path(folder) / LOCK).open("w") as lock:
        with suppress(OSError):  # a file system without locks, where nothing is swept
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield Path(folder)
        except OSError as error:
            if isinstance(error, StorageError) or error.errno not in FULL:
                raise
            raise NoSpace(
                f"the scratch folder {folder} could not be written: {error.strerror}. Free some space there, or let "
                "TMPDIR (of every worker) name a roomier disk, and run the same command again: it resumes."
            ) from error


def sweep() -> None:
    """Take away the scratch folders of this machine whose processes are dead."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # Errors are those of a folder that is another user's, that somebody holds, or that somebody has just swept.
        with suppress(OSError), (folder / LOCK).open("r+") as lock:
            if time.time() - os.fstat(lock.fileno()).st_mtime > YOUNG_SECONDS:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
