"""A build as a user runs it: the command, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.bare import PROCESSES, STAGES, Fields

COMMAND = (sys.executable, "-c", "from sluice.flows.cli import main; main()", "dataset", "build")


def sluice(kernels: Callable[[bytes], Fields], shard: int, photos: Path, out: Path) -> None:
    """The build that makes what these kernels make, with everything that a build does: index, commits, export."""
    out.mkdir()
    config = out / "config.yaml"
    values = {
        "name": "benchmark",
        "source": {"kind": "folder", "uri": str(photos)},
        "out": str(out / "data"),
        "stages": STAGES[kernels],
        "shard_size": shard,
        "workers": PROCESSES,
    }
    config.write_text(json.dumps(values))  # JSON is YAML
    command("--config", str(config))


def command(*arguments: str) -> None:
    """`sluice dataset build` with these arguments. Raises RuntimeError, with what it said, where it fails."""
    run = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"sluice dataset build {' '.join(arguments)} failed:\n{run.stdout}{run.stderr}")
