"""A data set by its name, for commands that need no configuration."""

from __future__ import annotations

import re

from sluice.infra.storage import Storage, storage
from sluice.preprocess.version.manifest import UnknownVersion

PLACED = re.compile(r"(?P<out>.*?)/?datasets/(?P<name>[^/]+)/?")


def dataset_names(place: Storage) -> list[str]:
    """The data sets that lie in a storage."""
    return sorted({entry.path.split("/")[1] for entry in place.list("datasets/")})


def find_dataset(data: str, out: str) -> tuple[Storage, str]:
    """Where a data set lies, and its name: `OUT/datasets/NAME`, or the name of one in `out`.

    Raises UnknownVersion where it is not there, with the names of those that are.
    """
    placed = PLACED.fullmatch(data)
    place, name = (storage(placed["out"] or "."), placed["name"]) if placed else (storage(out), data)
    if "/" in name or next(iter(place.list(f"datasets/{name}/")), None) is None:
        there = ", ".join(dataset_names(place)) or "none; is this the --out that it was built with?"
        raise UnknownVersion(f"{place.uri} has no data set '{name}'; there are: {there}")
    return place, name
