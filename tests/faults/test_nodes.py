"""Nodes of a cluster that come late, and that die with what they run."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence

import pytest

SCRIPT = """
import json, threading, time, ray
from ray.cluster_utils import Cluster
from sluice.infra.execute import Dispatcher, Unit
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


def placed(happens: str) -> Sequence[tuple[str, str]]:
    """Units of a second each by the node that ran them, in the order in which they were done."""
    script = textwrap.dedent(SCRIPT) % happens
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=240)
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
