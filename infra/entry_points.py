"""What installed packages bring by entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from sluice.infra.errors import SluiceError


class BrokenPackage(SluiceError):
    """What an entry point names cannot be loaded."""


def load(entry: EntryPoint) -> Any:
    """What an entry point names. Raises BrokenPackage, whatever the package's own code raises."""
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        raise BrokenPackage(
            f"the entry point {entry.group} '{entry.name}' ({entry.value}) cannot be loaded ({type(error).__name__}: "
            f"{error}): mend the package that brings it, or uninstall it"
        ) from error
