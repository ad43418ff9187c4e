"""Actors on GPUs that are only declared: their sum is no room, for a part of one lies on a single GPU."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys, time, ray
from sluice.infra.execution import actors
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Resources

actors.PLACE_SECONDS = 2.0

class Echo:
    def open(self, kind): return self.run
    def run(self, name):
        time.sleep(1)
        return name
    def halve(self, name): return None
    def mark(self, name): return name

ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, configure_logging=False, log_to_driver=False)
asked, found, most = json.loads(sys.argv[1]), [], 0
def arrived(unit, name):
    global most
    found.append(name)
    most = max(most, len(dispatcher.crew.actors))

demands = {kind: Resources(1, gpus) for kind, (gpus, _) in asked.items()}
with Dispatcher(Echo(), demands, arrived) as dispatcher:
    units = [Unit(f"{kind}{n}", kind, f"{kind}{n}") for kind, (_, count) in asked.items() for n in range(count)]
    dispatcher.submit(units)
    dispatcher.wait([unit.name for unit in units])
print(json.dumps([sorted(found), most]))
"""


def run(asked: dict[str, tuple[float, int]]) -> tuple[list[str], int]:
    """What came of so many units of each kind, that asks for so much of a GPU, and how many actors there were."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found, most = json.loads(done.stdout.splitlines()[-1])
    return found, most


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        pytest.param({"small": (0.6, 4)}, 2, id="as many as two GPUs hold"),
        pytest.param(
            {"small": (0.6, 2), "large": (0.7, 1)}, 3, id="the room that is left is in pieces", marks=pytest.mark.slow
        ),
    ],
)
def test_none_waits_for_ever_for_room_that_only_adds_up(asked: dict[str, tuple[float, int]], most: int) -> None:
    found, actors = run(asked)
    assert found == sorted(f"{kind}{n}" for kind, (_, count) in asked.items() for n in range(count))
    assert actors == most
