"""Planning, resuming, finishing, `status` and `gc` on a data set of any size, whose images were never there.

`python -m tests.benchmarks.bench_scale --images 1e8` for the real one: 12 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.large import A_TAR, add_tars
from tests.benchmarks.result import Goal, Result

IMAGES = 100 * A_TAR
"""Of fewer, what every process costs by itself would be taken for the images'."""
GOAL_S, GOAL_MB, GOAL_IMAGES = 60.0, 2048.0, 1e8
STEPS = {
    "first plan": "plan",
    "unchanged": "plan",
    "one tar more": "more",
    "grown": "plan",
    "commits": "commit",
    "resume": "resume",
    "resume again": "resume",
    "finish": "finish",
    "status": "status",
    "gc": "gc",
    "listing S3": "s3",
    "Prefect": "prefect",
    "indexing": "indexing",
}
JUDGED = {
    "first plan": ["plan"],
    "unchanged": ["plan"],
    "grown": ["plan"],
    "resume again": ["plan", "commits", "pending"],
    "finish": ["plan", "commits", "manifest", "store"],
    "status": ["status"],
    "gc": ["gc"],
}


def run(images: int = IMAGES) -> list[Result]:
    """Each step in a process of its own: its processor's seconds at 10^8 images, by the size at hand, to a minute; and
    the largest memory to 2 GiB."""
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as made:
        folder = Path(made)
        add_tars(folder, 0, images // A_TAR)
        told = {what: _told(what, step, folder) for what, step in STEPS.items()}
    times = GOAL_IMAGES / images
    seconds = {what: times * sum(told[what][f"{part}, CPU s"] for part in parts) for what, parts in JUDGED.items()}
    results = [
        Result(f"{what}, CPU seconds at 10^8 / 60", found / GOAL_S, Goal("<=", 1), {"images": images, **told[what]})
        for what, found in seconds.items()
    ]
    peak = max(told[what]["peak MB"] for what in JUDGED)
    return [*results, Result(f"memory at {images:.0e} images / 2 GiB", peak / GOAL_MB, Goal("<=", 1), told)]


def _told(what: str, name: str, folder: Path) -> dict[str, Any]:
    """A step, told as soon as it is over: at 10^8 some take minutes."""
    command = [sys.executable, "-m", "tests.benchmarks.large_steps", name, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}: {json.dumps(found)}", flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_scale", description=__doc__)
    parser.add_argument("--images", type=float, default=IMAGES, help=f"a multiple of {A_TAR}")
    for result in run(int(parser.parse_args().images)):
        print(f"{result.name}: {result.ratio:.3g}")
