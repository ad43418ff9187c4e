"""A data set by its name, for commands that need no configuration."""

from __future__ import annotations

import re

from sluice.infra.storage import Storage, storage
from sluice.preprocess.version.manifest import UnknownVersion

PLACED = re.compile(r"(?P<out>.*?)/?datasets/(?P<name>[^/]+)/?")


def find_dataset(data: str, out: str) -> tuple[Storage, str]:
    """Where a data set lies, and its name: `OUT/datasets/NAME`, or the name of one in `out`.

    Raises UnknownVersion where it is not there, with the names of those that are.
    """
    placed = PLACED.fullmatch(data)
    place, name = (storage(placed["out"] or "."), placed["name"]) if placed else (storage(out), data)
    names = list(place.folders("datasets"))
    if name not in names:
        there = ", ".join(names) or "none; is this the --out that it was built with?"
        raise UnknownVersion(f"{place.uri} has no data set '{name}'; there are: {there}")
    return place, name
