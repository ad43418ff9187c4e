"""What an actor asks of Ray, by what the nodes have."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from sluice.infra.execution.placement import (
    ExecutionError,
    Share,
    capacity_of,
    memory_of,
    of_kind,
    resources_of,
    shares,
)
from sluice.preprocess.graph import Resources

HEAD = {"CPU": 0.0}
DECODE = {"CPU": 32.0}
A800 = {"CPU": 96.0, "GPU": 8.0, "accelerator_type:A800": 1.0}
V100 = {"CPU": 40.0, "GPU": 8.0, "accelerator_type:V100": 1.0, "gpu_memory_gb": 256.0}
UNKNOWN = {"CPU": 8.0, "GPU": 1.0}


def asked(demand: Resources, *nodes: dict[str, float]) -> Share:
    return shares({"depth": demand}, nodes)["depth"]


def test_a_gpus_memory_is_declared_or_known_by_its_kind() -> None:
    assert memory_of(V100) == 32
    assert memory_of(A800) == 80
    assert memory_of(UNKNOWN) is None
    assert memory_of(DECODE) is None


@pytest.mark.parametrize(
    ("demand", "nodes", "share"),
    [
        (Resources(4), (HEAD, DECODE, A800), Share(4)),
        (Resources(1, 0.5), (A800, V100), Share(1, 0.5)),
        (Resources(1, 0, 20), (A800,), Share(1, 0.25)),
        (Resources(1, 0, 20), (A800, V100), Share(1, 0.625)),
        (Resources(1, 0.5, 20), (A800,), Share(1, 0.5)),
        (Resources(1, 0, 60), (A800, V100), Share(1, 0.75)),
        (Resources(1, 2, 100), (A800, V100), Share(1, 2)),
        (Resources(1, 0, 4), (UNKNOWN,), Share(1, 1)),
        (Resources(1, 1, 0, "V100"), (A800, V100), Share(1, 1, "V100")),
    ],
)
def test_memory_becomes_a_part_of_a_gpu(demand: Resources, nodes: tuple[dict[str, float], ...], share: Share) -> None:
    assert asked(demand, *nodes) == share


@pytest.mark.parametrize(
    ("demand", "nodes", "said"),
    [
        (Resources(64), (DECODE,), r"asks for 64 CPUs and 0 GPUs, and no node has them \(there are: 32 CPUs, 0 GPUs\)"),
        (Resources(1, 0, 60), (V100,), r"1 CPUs and 0 GPUs with 60 GB.*\(there are: 40 CPUs, 8 GPUs \(V100, 32 GB\)\)"),
        (
            Resources(1, 1, 0, "A800"),
            (V100, UNKNOWN),
            r"1 GPUs of kind A800.*8 CPUs, 1 GPUs\).*name another .*accelerator",
        ),
        (Resources(1, 0, 2), (HEAD, DECODE), r"with 2 GB.*lower stages.depth.cpus, .gpus or .gpu_memory_gb"),
    ],
)
def test_what_no_node_could_hold_is_refused_with_what_there_is(
    demand: Resources, nodes: tuple[dict[str, float], ...], said: str
) -> None:
    with pytest.raises(ExecutionError, match=said):
        asked(demand, *nodes)


@pytest.mark.parametrize(
    ("share", "node", "slots"),
    [
        (Share(1, 0.3), A800, 24),  # three a GPU, and not the 26 that add up to eight
        (Share(1, 0.1), UNKNOWN, 8),
        (Share(1, 0.3333), A800, 24),
        (Share(5, 0.3), A800, 19),
        (Share(1, 3), A800, 2),
        (Share(1, 1, "V100"), A800, 0),
        (Share(5), DECODE, 6),
        (Share(1), HEAD, 0),
    ],
)
def test_a_part_of_a_gpu_is_of_one_gpu_and_an_actor_on_one_node(
    share: Share, node: dict[str, float], slots: int
) -> None:
    assert share.slots(node) == slots


def test_gpus_are_counted_by_kind_on_nodes_that_are_up() -> None:
    told = [{"Alive": True, "Resources": node} for node in (HEAD, A800, V100)] + [{"Alive": False, "Resources": A800}]
    capacity = capacity_of(resources_of(told))
    assert (capacity.cpus, capacity.gpus) == (136, 16)
    assert of_kind(capacity, "A800") == of_kind(capacity, "V100") == 8
    assert of_kind(capacity, "T4") == 0


@pytest.mark.slow
def test_ray_is_asked_for_it_and_its_autoscaler_for_more() -> None:
    """GPUs that are only declared are given out like others."""
    script = """
    import json, os, time, ray
    from ray.experimental.internal_kv import _internal_kv_get
    ray.init(address="local", num_cpus=4, num_gpus=1, resources={"accelerator_type:V100": 1, "gpu_memory_gb": 32},
             include_dashboard=False, configure_logging=False, log_to_driver=False)
    from sluice.infra.execution.dispatch import Dispatcher
    from sluice.infra.execution.unit import Unit
    from sluice.preprocess.graph import Resources
    class Assigned:
        def open(self, kind): return self.run
        def run(self, payload):
            time.sleep(1)
            return {**ray.get_runtime_context().get_assigned_resources(), "actor": os.getpid()}
        def halve(self, payload): return None
        def mark(self, payload): return payload
    found = []
    demands = {"depth": Resources(1, 0, 16, "V100")}
    with Dispatcher(Assigned(), demands, lambda unit, result: found.append(result)) as dispatcher:
        units = [Unit(f"u{n}", "depth", n) for n in range(6)]
        dispatcher.submit(units)
        time.sleep(1)
        wanted = json.loads(_internal_kv_get("autoscaler_resource_request"))
        dispatcher.wait([unit.name for unit in units])
    left = json.loads(_internal_kv_get("autoscaler_resource_request"))
    print(json.dumps([found, len(wanted), left]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    import json

    found, wanted, left = json.loads(done.stdout.splitlines()[-1])
    assert [(own["CPU"], own["GPU"]) for own in found] == [(1, 0.5)] * 6
    assert all("accelerator_type:V100" in own for own in found)
    assert len({own["actor"] for own in found}) == 2
    assert wanted == 6
    assert left == []
