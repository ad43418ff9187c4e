"""A data set by its name, for commands that need no configuration."""

from __future__ import annotations

import re

from sluice.infra.storage import Storage, storage
from sluice.preprocess.version.manifest import UnknownVersion

PLACED = re.compile(r"(?P<out>.*?)/?datasets/(?P<name>[^/]+)/?")


def find_dataset(data: str, out: str) -> tuple[Storage, str]:
    """Where a data set lies, and its name. Raises UnknownVersion where it is not there, with those that are."""
    place, name = meant(data, out)
    names = list(place.folders("datasets"))
    if name not in names:
        there = ", ".join(names) or "none; is this the --out that it was built with?"
        raise UnknownVersion(f"{place.uri} has no data set '{name}'; there are: {there}")
    return place, name


def meant(data: str, out: str) -> tuple[Storage, str]:
    """By `OUT/datasets/NAME`, or the name of one in `out`, be it there or not."""
    placed = PLACED.fullmatch(data)
    return (storage(placed["out"] or "."), placed["name"]) if placed else (storage(out), data)
