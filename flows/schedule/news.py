"""Whether a source has images that its data set was not built with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sluice.flows.configs import find_config
from sluice.flows.submit.words import parsed
from sluice.infra.storage import storage
from sluice.preprocess.planning.config import DatasetConfig, load_config, make_source
from sluice.preprocess.planning.index import changes, index_prefix, read_index


def config_of(words: Sequence[str], folder: Path) -> DatasetConfig:
    """The configuration that a `dataset` command in a folder resolves to. Raises ConfigError."""
    with in_folder(folder):
        given = parsed(words).params
        return load_config(find_config(given["config"]), given["settings"] or (), given["source"], given["out"])


def has_news(words: Sequence[str], folder: Path, since: float) -> bool:
    """By a listing: what the index has not read, or has read after a moment, in seconds since 1970.

    Raises ConfigError, and what the source raises.
    """
    config = config_of(words, folder)
    with in_folder(folder):
        source, place = make_source(config), storage(config.out)
        prefix = index_prefix(source, config.near_duplicates is not None)
        read = max((entry.modified for entry in place.list(prefix)), default=0.0)
        return read > since or bool(changes(source, read_index(place, prefix)).unread)


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Relative paths are meant from there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
