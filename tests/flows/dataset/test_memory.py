"""The memory of a worker does not grow with the data set."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from tests.flows.conftest import config_for
from tests.flows.runs import working

SHARD = 250


def write_noise(folder: Path, count: int) -> None:
    """Pictures that do not compress, some 40 kB each: what a worker keeps of every one of them shows."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(count):
        noise = draw.integers(0, 255, (128, 128, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:05}.jpg"), noise, [cv2.IMWRITE_JPEG_QUALITY, 98])


def peak_bytes(worker: psutil.Process) -> int:
    """The largest resident set that the kernel has seen of a process; 0 where it has ended."""
    try:
        status = Path(f"/proc/{worker.pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


@contextmanager
def watching_workers() -> Iterator[dict[int, int]]:
    """Process id -> peak resident set of every Ray worker, looked at ten times a second."""
    peaks: dict[int, int] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            peaks.update({worker.pid: max(peaks.get(worker.pid, 0), peak_bytes(worker)) for worker in working()})

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


@pytest.mark.slow
def test_a_worker_needs_no_more_for_four_thousand_images_than_for_one(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    peaks = {}
    for count in (1000, 4000):
        write_noise(tmp_path / f"in{count}", count)
        stages = {"image": {"size": 128, "min_side": 16}, "canny": {}, "brightness": {}}
        config = config_for(
            tmp_path / f"in{count}", tmp_path / f"out{count}", stages=stages, shard_size=SHARD, workers=2
        )
        with watching_workers() as seen:
            build(config)
        peaks[count] = max(seen.values())
        assert len(seen) == 2, "two workers from the beginning to the end"
    print({count: f"{peak / 1e6:.0f} MB" for count, peak in peaks.items()})
    assert peaks[4000] <= 1.15 * peaks[1000]
