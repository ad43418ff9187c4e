"""Options that name a file or folder where S3 is no place."""

from __future__ import annotations

from pathlib import Path

import typer


def local_path(named: str | Path) -> Path:
    """A path. Raises BadParameter for an address, and for the empty name that an unset variable of a shell is."""
    if not str(named):
        raise typer.BadParameter("it is empty; name a folder, or `.`")
    if "://" in str(named):
        raise typer.BadParameter(f"'{named}' is an address, and this takes a path of this machine alone")
    return Path(named)
