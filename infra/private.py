"""Files that hold a secret: nobody but their owner may read them."""

from __future__ import annotations

import stat
from pathlib import Path

from sluice.infra.settings import ConfigError

OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


def read_private(file: str | Path, what: str, remedy: str) -> str:
    """The secret in a file, without white space around it; `what` it is and the `remedy` are for errors.

    Raises ConfigError for a file that is not here, that is empty, or that others may read.
    """
    where = Path(file).expanduser()
    try:
        mode, secret = where.stat().st_mode, where.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{where}, {what}, could not be read ({error.strerror}): {remedy}") from error
    if mode & OTHERS_MAY_READ:
        raise ConfigError(f"{where}, {what}, can be read by others of this machine: chmod 600 {where}")
    if not secret:
        raise ConfigError(f"{where}, {what}, is empty: {remedy}")
    return secret
