"""The actors of a run: hired where there is room, each with one kind of unit open at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sluice.infra.errors import SluiceError


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
    def accelerator(self) -> str | None: ...


class Work(Protocol):
    """What units do; pickled once into every actor."""

    def open(self, kind: str) -> Callable[[Any], Any]:
        """Load what this kind of unit needs, in the actor; returns the function that runs one."""

    def halve(self, payload: Any) -> tuple[Any, Any] | None:
        """A payload that kills its worker, in two; None where it cannot be halved."""

    def mark(self, payload: Any) -> Any:
        """A payload of one that kills its worker, so changed that it is recorded and not run."""


class _Worker:
    """Lives in an actor: opens one kind at a time and runs its units."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.kind: str | None = None
        self.function: Callable[[Any], Any] | None = None

    def run(self, kind: str, payload: Any) -> Any:
        if self.function is None or self.kind != kind:
            self.function = None
            self.function, self.kind = self.work.open(kind), kind
        return self.function(payload)


@dataclass(eq=False)
class Actor:
    """An actor, the kind it has open, and the unit it is busy with (of which this file knows nothing) since `began`."""

    handle: Any
    demand: Demand
    kind: str | None = None
    unit: Any = None
    began: float = 0.0


class Crew:
    """The actors, and the CPUs and GPUs that they leave free. Raises ExecutionError for a demand that no node holds."""

    def __init__(self, work: Work, demands: Mapping[str, Demand], workers: int | None) -> None:
        import ray

        self.ray = ray
        self.work = ray.put(work)
        refuse_what_no_node_holds(demands, ray.nodes())  # type: ignore[no-untyped-call]
        total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self.free_cpus = float(workers or total.get("CPU", 1))
        self.free_gpus = float(total.get("GPU", 0))
        self.actors: list[Actor] = []

    def idle(self) -> list[Actor]:
        """The actors without a unit."""
        return [actor for actor in self.actors if actor.unit is None]

    def hire(self, demand: Demand) -> Actor | None:
        """A new actor where there is room, after letting idle ones of other demands go; else None."""
        for idle in self.idle():
            if self._room(demand):
                break
            if idle.demand != demand:
                self.ray.kill(idle.handle)
                self.bury(idle)
        if not self._room(demand):
            return None
        options: dict[str, Any] = {"num_cpus": demand.cpus, "num_gpus": demand.gpus, "max_restarts": 0}
        if demand.accelerator:
            options["accelerator_type"] = demand.accelerator
        actor = Actor(self.ray.remote(_Worker).options(**options).remote(self.work), demand)
        self.actors.append(actor)
        self.free_cpus -= demand.cpus
        self.free_gpus -= demand.gpus
        return actor

    def bury(self, actor: Actor) -> None:
        """Forget a dead actor."""
        self.actors.remove(actor)
        self.free_cpus += actor.demand.cpus
        self.free_gpus += actor.demand.gpus

    def dismiss(self) -> None:
        """End all actors."""
        for actor in self.actors:
            self.ray.kill(actor.handle)

    def _room(self, demand: Demand) -> bool:
        nobody = not self.actors
        return self.free_gpus >= demand.gpus and (self.free_cpus >= demand.cpus or nobody)


def refuse_what_no_node_holds(demands: Mapping[str, Demand], nodes: Sequence[dict[str, Any]]) -> None:
    """Raises ExecutionError for a kind whose CPUs or GPUs exceed every node's."""
    live = [node["Resources"] for node in nodes if node["Alive"]]
    for kind, demand in demands.items():
        fits = any(n.get("CPU", 0) >= demand.cpus and n.get("GPU", 0) >= demand.gpus for n in live)
        if not fits:
            there = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in live)
            raise ExecutionError(
                f"stage '{kind}' asks for {demand.cpus} CPUs and {demand.gpus:g} GPUs, and no node has them "
                f"(there are: {there}); lower stages.{kind}.cpus or .gpus, or add such a node"
            )
