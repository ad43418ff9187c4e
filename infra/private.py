"""Files that hold a secret: nobody but their owner may read them."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from sluice.infra.settings import ConfigError

OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


def read_private(file: str | Path, what: str, remedy: str) -> str:
    """The secret in a file, without white space around it; `what` it is and the `remedy` are for errors.

    Raises ConfigError for a file that is not here, that is empty or no text, or that others may read.
    """
    where = Path(file).expanduser()
    try:
        mode, secret = where.stat().st_mode, where.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{where}, {what}, could not be read ({error.strerror}): {remedy}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}, {what}, is no text in UTF-8: {remedy}") from error
    if mode & OTHERS_MAY_READ:
        raise ConfigError(f"{where}, {what}, can be read by others of this machine: chmod 600 {where}")
    if not secret:
        raise ConfigError(f"{where}, {what}, is empty: {remedy}")
    return secret


def keep_secret(file: Path) -> None:
    """Make a secret, whole, where there is none, and let nobody but its owner read what is there. Raises OSError."""
    where = file.expanduser()
    where.parent.mkdir(parents=True, exist_ok=True)
    if not where.exists():
        with tempfile.NamedTemporaryFile("w", dir=where.parent, prefix=f".{where.name}-") as made:
            made.write(secrets.token_hex(32))
            made.flush()
            os.fsync(made.fileno())
            with suppress(FileExistsError):  # somebody was faster, and that is the secret
                os.link(made.name, where)
    where.chmod(0o600)
