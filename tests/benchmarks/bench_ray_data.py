"""A build against Ray Data, which maps the same kernels over the images one by one and writes webdataset tars."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.bare import PROCESSES, Fields, sample, with_canny
from tests.benchmarks.race import apart, compare, race
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.sluice_build import sluice

SHARD = 250


def run(few: int = 500, many: int = 2000, rounds: int = 3) -> list[Result]:
    """Image and Canny: little work an image, so that what is around the kernels shows."""
    contenders = {"sluice": partial(sluice, with_canny, SHARD), "ray_data": partial(ray_data, with_canny)}
    paces = race(contenders, few, many, rounds)
    ratio = paces["sluice"].steady / paces["ray_data"].steady
    return [Result("build / Ray Data, image by image", ratio, Goal(">=", 1.5), compare(paces, shard=SHARD))]


def ray_data(kernels: Callable[[bytes], Fields], photos: Path, out: Path) -> None:
    """A data set by Ray Data, in a process of its own."""
    apart(_map, kernels, str(photos), str(out))


def _map(kernels: Callable[[bytes], Fields], photos: str, out: str) -> None:
    import ray

    ray.init(num_cpus=PROCESSES, include_dashboard=False, log_to_driver=False)
    images = ray.data.read_binary_files(photos)
    images.map(partial(_row, kernels)).write_webdataset(out, encoder=None)


def _row(kernels: Callable[[bytes], Fields], row: dict[str, Any]) -> dict[str, Any]:
    import cv2

    cv2.setNumThreads(1)
    return sample(row["bytes"], kernels)
