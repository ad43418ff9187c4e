"""What a kind of unit asks for, as a share of the nodes that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sluice.infra.errors import SluiceError

GPU_MEMORY = {
    "A800": 80.0,
    "A100": 40.0,
    "H800": 80.0,
    "H100": 80.0,
    "H200": 141.0,
    "V100": 16.0,
    "L40": 48.0,
    "T4": 16.0,
}
"""GB of one GPU, by Ray's names; the smaller one where they come in two sizes."""
DECLARED = "gpu_memory_gb"
"""A node that is started with `--resources '{"gpu_memory_gb": 256}'` says what its GPUs have together."""
RAY_STEPS = 10_000
"""Ray counts resources in such parts of one."""


class ExecutionError(SluiceError):
    """A unit failed for good, or no node can hold a stage."""

    exit_code = 1


class Demand(Protocol):
    """What an actor needs of a node."""

    @property
    def cpus(self) -> int: ...
    @property
    def gpus(self) -> float: ...
    @property
    def gpu_memory_gb(self) -> float: ...
    @property
    def accelerator(self) -> str | None: ...


@dataclass(frozen=True)
class Share:
    """What Ray is asked for, for one actor."""

    cpus: int
    gpus: float = 0.0
    accelerator: str | None = None

    @property
    def bundle(self) -> dict[str, float]:
        """As Ray's autoscaler is asked; of kinds its groups know nothing."""
        return {"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}

    def slots(self, node: Mapping[str, float]) -> int:
        """How many of it a node with these resources could hold, were it empty; a part of a GPU is of a single one."""
        if self.accelerator is not None and _kind(self.accelerator) not in node:
            return 0
        by_cpus = int(node.get("CPU", 0) // self.cpus)
        if not self.gpus:
            return by_cpus
        gpu, asked = RAY_STEPS, round(self.gpus * RAY_STEPS)
        gpus = int(node.get("GPU", 0))
        return min(by_cpus, gpus * gpu // asked if asked >= gpu else gpus * (gpu // asked))


@dataclass(frozen=True)
class Capacity:
    """CPUs and GPUs of all nodes that are up, and the GPUs by kind."""

    cpus: float
    gpus: float
    kinds: Mapping[str, float]


def resources_of(nodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, float]]:
    """What the nodes have that are up, as `ray.nodes()` tells of them."""
    return [node["Resources"] for node in nodes if node["Alive"]]


def capacity_of(nodes: Sequence[Mapping[str, float]]) -> Capacity:
    """Of nodes by their resources."""
    kinds: dict[str, float] = {}
    for node in nodes:
        for kind in (name for name in node if name.startswith(_kind(""))):
            kinds[kind] = kinds.get(kind, 0.0) + node.get("GPU", 0)
    return Capacity(sum(node.get("CPU", 0) for node in nodes), sum(node.get("GPU", 0) for node in nodes), kinds)


def of_kind(capacity: Capacity, accelerator: str) -> float:
    """GPUs of a kind."""
    return capacity.kinds.get(_kind(accelerator), 0.0)


def shares(demands: Mapping[str, Demand], nodes: Sequence[Mapping[str, float]]) -> dict[str, Share]:
    """What each kind's actors ask Ray for. Raises ExecutionError for a kind that no node could hold."""
    return {kind: _share(kind, demand, nodes) for kind, demand in demands.items()}


def _share(kind: str, demand: Demand, nodes: Sequence[Mapping[str, float]]) -> Share:
    """The largest of what single nodes would have to give: one number is asked of all of them."""
    possible = [share for node in nodes if (share := _of_node(demand, node)) is not None and share.slots(node)]
    if not possible:
        raise ExecutionError(_refusal(kind, demand, nodes))
    return max(possible, key=lambda share: share.gpus)


def _of_node(demand: Demand, node: Mapping[str, float]) -> Share | None:
    """With as much of its GPUs as holds the memory, None if they are too small; one of unknown size is taken whole."""
    gpus, memory, size = demand.gpus, demand.gpu_memory_gb, memory_of(node)
    if memory and size is None:
        gpus = max(1.0, gpus)
    elif memory and size is not None:
        if memory > size * max(1.0, gpus):
            return None
        gpus = max(gpus, round(min(1.0, memory / size), 4))
    return Share(demand.cpus, gpus, demand.accelerator)


def memory_of(node: Mapping[str, float]) -> float | None:
    """GB of each of a node's GPUs, None where it is not known."""
    if DECLARED in node and node.get("GPU"):
        return node[DECLARED] / node["GPU"]
    return next((size for name, size in GPU_MEMORY.items() if _kind(name) in node), None)


def _kind(accelerator: str) -> str:
    return f"accelerator_type:{accelerator}"


def _refusal(kind: str, demand: Demand, nodes: Sequence[Mapping[str, float]]) -> str:
    memory = f" with {demand.gpu_memory_gb:g} GB" if demand.gpu_memory_gb else ""
    of = f" of kind {demand.accelerator}" if demand.accelerator else ""
    kind_too = f", name another stages.{kind}.accelerator or none" if demand.accelerator else ""
    return (
        f"stage '{kind}' asks for {demand.cpus} CPUs and {demand.gpus:g} GPUs{of}{memory}, and no node has them "
        f"(there are: {'; '.join(map(_told, nodes))}); lower stages.{kind}.cpus, .gpus or .gpu_memory_gb"
        f"{kind_too}, or add such a node"
    )


def _told(node: Mapping[str, float]) -> str:
    kinds = [name.removeprefix(_kind("")) for name in node if name.startswith(_kind(""))]
    size = memory_of(node)
    about = [*kinds, *([f"{size:g} GB"] if size is not None and node.get("GPU") else [])]
    return f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" + (f" ({', '.join(about)})" if about else "")
