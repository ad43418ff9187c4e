"""Nodes of a cluster that come late, and that die with what they run; a unit that dies of itself beside them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

SCRIPT = """
import json, threading, time, ray
from ray.cluster_utils import Cluster
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Resources

class Placed:
    def open(self, kind): return self.run
    def run(self, payload):
        time.sleep(1)
        return ray.get_runtime_context().get_node_id()
    def halve(self, payload): return None
    def mark(self, payload): return "marked"

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
found, moment = [], threading.Event()
%s
def arrived(unit, node):
    found.append((unit.name, node))
    if reached(): moment.set()

with Dispatcher(Placed(), {"a": Resources()}, arrived) as dispatcher:
    units = [Unit(f"u{n}", "a", n) for n in range(40)]
    dispatcher.submit(units)
    moment.wait()
    happen()
    dispatcher.wait([unit.name for unit in units])
print(json.dumps(found), flush=True)
ray.shutdown()
"""
LATE = """
def reached(): return len(found) == 2
def happen(): cluster.add_node(num_cpus=1)
"""
DEAD = """
other = cluster.add_node(num_cpus=1)
def reached(): return len({node for _, node in found}) == 2
def happen(): cluster.remove_node(other, allow_graceful=False)
"""
FLAPPING = """
import json, os, signal, sys, time, ray
from pathlib import Path
from ray.cluster_utils import Cluster
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Resources

folder = Path(sys.argv[1])

class Waits:
    def open(self, kind): return self.run
    def run(self, payload):
        if payload == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        with (folder / "begun").open("a") as begun:
            begun.write("+")
        while not (folder / "go").exists():
            time.sleep(0.1)
        return payload
    def halve(self, payload): return None
    def mark(self, payload):
        (folder / "go").touch()
        return "marked " + payload

def until(size):
    while not (folder / "begun").exists() or (folder / "begun").stat().st_size < size:
        time.sleep(0.1)

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
node = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
found, unit, poison = [], Unit("steady", "a", "steady"), Unit("poison", "a", "poison")
with Dispatcher(Waits(), {"a": Resources()}, lambda unit, result: found.append(result)) as dispatcher:
    dispatcher.submit([unit])
    for number, happens in enumerate(["raylet", "all", "told to go"]):
        until(number + 1)
        if happens == "raylet":
            node.kill_raylet()
        else:
            cluster.remove_node(node, allow_graceful=happens == "told to go")
        node = cluster.add_node(num_cpus=1)
    until(4)
    (folder / "go").touch()
    dispatcher.submit([poison])
    dispatcher.wait(["steady", "poison"])
print(json.dumps([found, unit.losses, unit.deaths, poison.losses]), flush=True)
ray.shutdown()
"""
FULL = """
import ray
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Resources
import time

class Sleeps:
    def open(self, kind): return self.run
    def run(self, payload): time.sleep(60)
    def halve(self, payload): return None
    def mark(self, payload): return payload

ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
         _system_config={"memory_usage_threshold": 0.01, "memory_monitor_refresh_ms": 100})
with Dispatcher(Sleeps(), {"a": Resources()}, print) as dispatcher:
    dispatcher.submit([Unit("large", "a", "large")])
    dispatcher.wait(["large"])
"""


def ended(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own: each has a cluster of its own."""
    command = [sys.executable, "-c", textwrap.dedent(script), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)


def placed(happens: str) -> Sequence[tuple[str, str]]:
    """Units of a second each by the node that ran them, in the order in which they were done."""
    done = ended(SCRIPT % happens)
    assert done.returncode == 0, done.stderr
    return [(name, node) for name, node in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.slow
def test_a_node_that_joins_late_is_given_work() -> None:
    found = placed(LATE)
    assert len({name for name, _ in found}) == len(found) == 40
    assert len({node for _, node in found[:2]}) == 1
    assert len({node for _, node in found}) == 2


@pytest.mark.slow
def test_what_a_dead_node_had_in_hand_runs_elsewhere_once() -> None:
    found = placed(DEAD)
    assert len({name for name, _ in found}) == len(found) == 40
    assert len({node for _, node in found}) == 2
    assert "marked" not in {node for _, node in found}
    assert len({node for _, node in found[-3:]}) == 1


@pytest.mark.slow
def test_lost_nodes_are_not_held_against_a_unit_but_what_kills_its_worker_is_marked(tmp_path: Path) -> None:
    done = ended(FLAPPING, str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = next(line for line in done.stdout.splitlines() if line.startswith("[["))  # Ray tells of raylets there, too
    found, losses, deaths, of_the_poison = json.loads(told)
    assert found == ["steady", "marked poison"]
    assert losses >= 3, "a machine that is busy elsewhere loses some of itself"
    assert (deaths, of_the_poison) == (0, 0)


@pytest.mark.slow
def test_a_unit_whose_worker_rays_memory_monitor_ends_was_killed_like_by_the_system() -> None:
    done = ended(FULL)
    assert (
        "ExecutionError: large kills its workers with nothing left in it to run; is there enough memory?" in done.stderr
    )
