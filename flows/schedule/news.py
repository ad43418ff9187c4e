"""Whether a source has images that its data set was not built with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sluice.flows.submit.contents import config_of
from sluice.flows.submit.words import parsed
from sluice.infra.storage import storage
from sluice.preprocess.planning.catalogue import read_catalogue
from sluice.preprocess.planning.config import make_source
from sluice.preprocess.planning.index import index_prefix
from sluice.preprocess.planning.listing import changes


def has_news(words: Sequence[str], folder: Path, since: float) -> bool:
    """By a listing: what the index has not read, or has read after a moment, in seconds since 1970.

    Raises ConfigError, and what the source raises.
    """
    with in_folder(folder):
        config = config_of(parsed(words).params)
        source, place = make_source(config), storage(config.out)
        prefix = index_prefix(source, config.near_duplicates is not None)
        read = max((entry.modified for entry in place.list(prefix)), default=0.0)
        return read > since or bool(changes(source, read_catalogue(place, prefix)).unread)


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Relative paths are meant from there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
