"""What a source shows against its index, and the index brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from sluice.infra.storage import Storage
from sluice.preprocess.planning.catalogue import Catalogue, read_catalogue
from sluice.preprocess.planning.columns import hashed, within
from sluice.preprocess.planning.index import GONE, encode, index_prefix, nothing, parts, scan, store_part
from sluice.preprocess.planning.removed import Removed
from sluice.preprocess.sources import Item, Source

AT_ONCE = 10_000

RunScan = Callable[[Callable[[list[Item]], Any], list[list[Item]]], None]


@dataclass(frozen=True)
class Change:
    """What a listing shows against the index."""

    unread: tuple[Item, ...]
    gone: frozenset[str]


def changes(source: Source[Any], known: Catalogue, retry: bool = False) -> Change:
    """List the source and say which items the index has not read (or not as they are now), and which are gone.

    With `retry` only what could not be read counts as unread, unless nothing was ever read.
    """
    unread: list[Item] = []
    listed = [np.zeros(0, np.uint64)]
    for items in _batches(source.items()):
        listed.append(hashed(item.uri for item in items))
        if retry and len(known.items):
            unread += [item for item in items if item.uri in known.failed]
        else:
            read = within(hashed((item.uri, item.stamp) for item in items), known.stamps)
            unread += [item for item, there in zip(items, read, strict=True) if not there]
    gone = known.items[~within(known.items, np.sort(np.concatenate(listed)))]
    return Change(tuple(unread), known.named(gone) if len(gone) else frozenset())


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    listing = iter(items)
    while batch := list(islice(listing, AT_ONCE)):
        yield batch


def update(
    source: Source[Any],
    storage: Storage,
    looks: bool,
    removed: Removed,
    run: RunScan,
    prune: bool,
    retry: bool = False,
) -> tuple[Catalogue, Change]:
    """Bring the index up to date; `run(function, bundles)` does the reading, each bundle a stored part of its own.

    Answers the index, and what the listing showed.

    Items that are gone stay in the index unless `prune` is asked for; `retry` reads again what could not be read,
    and nothing new.
    """
    prefix = index_prefix(source, looks)
    known = read_catalogue(storage, prefix)
    change = changes(source, known, retry)
    last = known.parts[-1] if known.parts else ""
    if change.unread:
        bundles = list(parts(change.unread))
        run(lambda items: store_part(scan(source, items, looks, removed), storage, prefix, last), bundles)
    if change.gone and prune:
        store_part(encode([nothing(uri, GONE) for uri in sorted(change.gone)]), storage, prefix, last)
    if change.unread or (change.gone and prune):
        known = read_catalogue(storage, prefix, known)
    return known, change
