"""A data set by its name, for commands that need no configuration."""

from __future__ import annotations

import re

from sluice.infra.settings import ConfigError
from sluice.infra.storage import Storage, storage
from sluice.preprocess.version.manifest import UnknownVersion

PLACE = "sluice-data"
PLACED = re.compile(r"(?P<out>.*?)/?datasets/(?P<name>[^/]+)/?")


def find_dataset(data: str, out: str | None) -> tuple[Storage, str]:
    """Where a data set lies, and its name.

    Raises UnknownVersion where it is not there, with those that are, and ConfigError as `meant`.
    """
    place, name = meant(data, out)
    names = list(place.folders("datasets"))
    if name not in names:
        there = ", ".join(names) or "none; is this the --out that it was built with?"
        raise UnknownVersion(f"{place.uri} has no data set '{name}'; there are: {there}")
    return place, name


def meant(data: str, out: str | None) -> tuple[Storage, str]:
    """By `OUT/datasets/NAME`, or the name of one in `out` (else PLACE), be it there or not.

    Raises ConfigError where both say where it lies, and not the same.
    """
    placed = PLACED.fullmatch(data)
    if placed is None:
        return storage(out or PLACE), data
    place = storage(placed["out"] or ".")
    if out is not None and storage(out).uri != place.uri:
        raise ConfigError(f"{data} lies in {place.uri}, and --out says {out}: give a NAME with --out, or leave it out")
    return place, placed["name"]
