"""Runs the reading of an index: a few bundles in this process's threads, many as Ray tasks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sluice.flows.session import ray_session
from sluice.preprocess.planning.build import Build, prepare
from sluice.preprocess.planning.config import DatasetConfig

FEW_BUNDLES = 20
THREADS = 4


def scan_runner(
    address: str | None, workers: int | None
) -> Callable[[Callable[[list[Any]], Any], list[list[Any]]], None]:
    """A function that applies another to every bundle, each of about 1,000 images."""

    def run(function: Callable[[list[Any]], Any], bundles: list[list[Any]]) -> None:
        if len(bundles) <= FEW_BUNDLES:
            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(function, bundles))
            return
        with ray_session(address, workers):
            import ray

            task = ray.remote(function)
            ray.get([task.remote(bundle) for bundle in bundles])

    return run


def prepare_build(config: DatasetConfig, prune: bool = False, retry: bool = False) -> Build:
    """Bring the index up to date and plan; the reading of new files is spread over threads or Ray."""
    return prepare(config, scan_runner(config.ray_address, config.workers), prune, retry)
