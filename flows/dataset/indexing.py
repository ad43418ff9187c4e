"""Runs the reading of an index: a few bundles in this process's threads; many, or where it decodes, in actors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from sluice.flows.session import ray_session
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Resources
from sluice.preprocess.planning.build import Build, prepare
from sluice.preprocess.planning.config import DatasetConfig, make_source
from sluice.preprocess.planning.listing import RunScan
from sluice.preprocess.sources import Item

INDEX = "index"
FEW_BUNDLES = 20
THREADS = 4
DEADLY = (
    "reading '{}' for the index killed its worker each time it was tried: a picture in it that a decoder fails of, or "
    "too little memory; take it out of the source, or try again with --retry"
)


@dataclass(frozen=True)
class IndexWork:
    """Bundles of items, as an actor reads them by `read`."""

    read: Callable[[list[Item]], Any]

    def open(self, kind: str) -> Callable[[list[Item]], None]:  # noqa: ARG002 - there is one
        return self._run

    def _run(self, items: list[Item]) -> None:
        if items:
            self.read(items)

    def halve(self, items: list[Item]) -> tuple[list[Item], list[Item], list[Item]] | None:
        """A bundle in two, after which nothing of it is left; None for a single item."""
        middle = len(items) // 2
        return (items[:middle], items[middle:], []) if middle else None

    def mark(self, items: list[Item]) -> list[Item]:
        """The single item of a bundle, to be recorded unread."""
        return [replace(item, error=DEADLY.format(item.uri)) for item in items]


def scan_runner(config: DatasetConfig) -> RunScan:
    """A function that applies another to every bundle, each of about 1,000 images.

    Pictures are decoded in workers alone, where one that kills is found by halves.
    """
    decodes = config.near_duplicates is not None or make_source(config).decodes

    def run(function: Callable[[list[Item]], Any], bundles: list[list[Item]]) -> None:
        if len(bundles) <= FEW_BUNDLES and not decodes:
            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(function, bundles))
            return
        units = [Unit(f"{INDEX}/{_named(bundle)}", INDEX, bundle) for bundle in bundles]
        with (
            ray_session(config.ray_address, config.workers),
            Dispatcher(IndexWork(function), {INDEX: Resources()}, lambda *_: None, config.workers) as dispatcher,
        ):
            dispatcher.submit(units)
            dispatcher.wait([unit.name for unit in units])

    return run


def _named(items: Sequence[Item]) -> str:
    return items[0].uri if len(items) == 1 else f"{items[0].uri}..{items[-1].uri}"


def prepare_build(config: DatasetConfig, prune: bool = False, retry: bool = False) -> Build:
    """Bring the index up to date and plan; the reading of new files is spread over threads or Ray."""
    return prepare(config, scan_runner(config), prune, retry)
