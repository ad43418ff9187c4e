"""The actors of a run: hired where there is room, each with one kind of unit open at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sluice.infra.execution.placement import Capacity, Demand, Share, capacity_of, of_kind, resources_of, shares

LOOK_SECONDS = 5.0
"""How old what is known of the nodes may be: some join late, some are gone."""
ASK_SECONDS = 30.0
MOST_ASKED = 256
PLACE_SECONDS = 30.0
"""How long a new actor may take to be placed while others idle: the nodes may have no room left in one piece."""


class Work(Protocol):
    """What units do; pickled once into every actor."""

    def open(self, kind: str) -> Callable[[Any], Any]:
        """Load what this kind of unit needs, in the actor; returns the function that runs one."""

    def halve(self, payload: Any) -> tuple[Any, Any, Any] | None:
        """A payload that kills its worker, in two, and what is run after both; None where it cannot be halved."""

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
    """An actor, the kind it has open, and the unit it is busy with (of which this file knows nothing) since `began`.

    `placed` is Ray's promise of when it lives, on some node; None once it does.
    """

    handle: Any
    share: Share
    placed: Any
    kind: str | None = None
    unit: Any = None
    began: float = 0.0


class Crew:
    """The actors of a run, as many as there is room for. Raises ExecutionError for a demand that no node could hold.

    `shares` is what an actor of each kind asks of Ray; `workers` bounds the CPUs that are used at once.
    """

    def __init__(self, work: Work, demands: Mapping[str, Demand], workers: int | None) -> None:
        import ray

        self.ray = ray
        self.work = ray.put(work)
        self.workers = workers
        self.actors: list[Actor] = []
        self.asked = 0.0
        self._look()
        self.shares = shares(demands, self.nodes)

    def idle(self) -> list[Actor]:
        """The actors without a unit."""
        return [actor for actor in self.actors if actor.unit is None]

    def hire(self, share: Share) -> Actor | None:
        """A new actor where there is room, after letting idle ones of other shares go; else None."""
        if time.monotonic() - self.looked > LOOK_SECONDS:
            self._look()
        for idle in self.idle():
            if self._room(share):
                break
            if idle.share != share:
                self.bury(idle)
        if not self._room(share):
            return None
        options: dict[str, Any] = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_restarts": 0}
        if share.accelerator:
            options["accelerator_type"] = share.accelerator
        handle: Any = self.ray.remote(_Worker).options(**options).remote(self.work)
        actor = Actor(handle, share, handle.__ray_ready__.remote(), began=time.monotonic())
        self.actors.append(actor)
        return actor

    def release(self) -> None:
        """Let idle actors go while there are more than the nodes have room for: one that came too late waits for it.

        A node may have died, and its room have been given to an actor before that was known. And what is free may lie
        in pieces, on several nodes or GPUs, none of which holds the one that waits.
        """
        for idle in self.idle():
            if time.monotonic() - self.looked > LOOK_SECONDS:
                self._look()
            held = [actor.share for actor in self.actors]
            enough = sum(own.cpus for own in held) <= self.capacity.cpus
            if enough and sum(own.gpus for own in held) <= self.capacity.gpus and not self._one_waits():
                return
            self.bury(idle)

    def ask(self, wanted: Iterable[tuple[Share, int]]) -> None:
        """Tell an autoscaler, where there is one, for how many more actors of each share there would be work."""
        if self.asked and time.monotonic() - self.asked < ASK_SECONDS:
            return
        more = [share for share, count in wanted for _ in range(min(count, MOST_ASKED))]
        if not more:
            return
        self.asked = time.monotonic()
        all_ = [*(actor.share for actor in self.actors), *more][:MOST_ASKED]
        self._request([share.bundle for share in self._within_workers(all_)])

    def bury(self, actor: Actor) -> None:
        """Forget an actor, and end it: one on a node that could not be reached may yet live."""
        self.ray.kill(actor.handle)
        self.actors.remove(actor)

    def dismiss(self) -> None:
        """End all actors."""
        for actor in self.actors:
            self.ray.kill(actor.handle)
        if self.asked:
            self._request([])

    def _look(self) -> None:
        self.nodes = resources_of(self.ray.nodes())  # type: ignore[no-untyped-call]
        self.capacity: Capacity = capacity_of(self.nodes)
        self.looked = time.monotonic()

    def _one_waits(self) -> bool:
        """Whether an actor has not been placed for long."""
        late = [actor for actor in self.actors if actor.placed and time.monotonic() - actor.began > PLACE_SECONDS]
        for actor in late:
            if self.ray.wait([actor.placed], timeout=0)[0]:
                actor.placed = None
        return any(actor.placed for actor in late)

    def _room(self, share: Share) -> bool:
        held = [actor.share for actor in self.actors]
        cpus = min(self.workers or self.capacity.cpus, self.capacity.cpus)
        if held and sum(own.cpus for own in held) + share.cpus > cpus:
            return False
        if held.count(share) >= sum(share.slots(node) for node in self.nodes):
            return False
        if share.accelerator:
            alike = sum(own.gpus for own in held if own.accelerator == share.accelerator)
            if alike + share.gpus > of_kind(self.capacity, share.accelerator):
                return False
        return sum(own.gpus for own in held) + share.gpus <= self.capacity.gpus

    def _within_workers(self, all_: list[Share]) -> list[Share]:
        kept: list[Share] = []
        cpus = 0
        for share in all_:
            cpus += share.cpus
            if self.workers is None or cpus <= self.workers or not kept:
                kept.append(share)
        return kept

    def _request(self, bundles: list[dict[str, float]]) -> None:
        from ray.autoscaler.sdk import request_resources

        request_resources(bundles=bundles)
