"""A folder of this machine for files in the making."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.infra.storage import NoSpace, StorageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, gone when the block ends. Raises NoSpace where its disk is full."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if isinstance(error, StorageError) or error.errno not in FULL:
                raise
            raise NoSpace(
                f"the scratch folder {folder} could not be written: {error.strerror}. Free some space there, or let "
                "TMPDIR (of every worker) name a roomier disk, and run the same command again: it resumes."
            ) from error
