"""Builds killed before every file operation in turn, each in a child of a fork, without Ray; then run to their end.

`python -m tests.flows.dataset.dying_builds FOLDER FIRST STEP` tries operations FIRST, FIRST + STEP ... and says what
it did.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.units import work
from tests.flows.conftest import tree
from tests.flows.runs import assert_nothing_half
from tests.preprocess.builds import build_here, config_here, write_photos


def die_before(operation: int) -> None:
    """Kill this process before its so-manieth file operation, and copies halfway."""
    left = operation

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            step()
            return function(*arguments, **named)

        return run

    def copy(source: BinaryIO, target: BinaryIO, _: int = 0) -> None:
        data = source.read()
        target.write(data[: len(data) // 2])
        target.flush()
        step()
        target.write(data[len(data) // 2 :])

    os.fsync, os.replace, os.unlink = counted(os.fsync), counted(os.replace), counted(os.unlink)
    shutil.copyfileobj = copy  # type: ignore[assignment]


def build_in_child(config: DatasetConfig, operation: int | None = None) -> bool:
    """Whether a build came to its end before the operation that it is killed at."""
    child = os.fork()
    if child == 0:
        try:
            if operation is not None:
                die_before(operation)
            build_here(config)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"the build failed; see above (status {status})"
    return not os.WIFSIGNALED(status)


def main(folder: Path, first: int, step: int) -> None:
    """Raises AssertionError where a killed build left something half, or its next run ended otherwise."""
    work.CHUNK = 2
    write_photos(folder / "photos", 6)
    stages: dict[str, Any] = {"image": {"size": 32, "min_side": 0}, "patient": {"seconds": 0}}
    config = config_here(folder, stages=stages, shard_size=3)
    assert build_in_child(config)
    undisturbed = tree(folder / "out")
    operation = first
    while True:
        shutil.rmtree(folder / "out")
        ended = build_in_child(config, operation)
        assert_nothing_half(folder / "out", undisturbed)
        assert build_in_child(config)
        assert tree(folder / "out") == undisturbed, f"killed before operation {operation}"
        if ended:
            break
        operation += step
    print(f"{(operation - first) // step} kills, before operations {first} to {operation - step}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
