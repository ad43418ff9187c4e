"""Units of work over Ray actors: one dispatcher hands out what is ready and counts attempts.

An actor holds what one kind of unit needs (a stage's model) and opens another kind's only when its own has nothing
left, so that a laptop's two actors serve seventeen stages and a cluster's GPUs keep their models. A unit whose worker
dies is tried again; one that kills its worker twice is halved until the culprit stands alone, and is then marked.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice.infra.errors import SluiceError

log = logging.getLogger("sluice.execute")

DEATHS = 2
ATTEMPTS = 3
POLL_SECONDS = 0.2


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


@dataclass(eq=False)
class Unit:
    """A unit of work: its name, the kind of actor that runs it, what it is given, and the units it waits for."""

    name: str
    kind: str
    payload: Any
    needs: set[str] = field(default_factory=set)
    deaths: int = 0
    attempts: int = 0


@dataclass(eq=False)
class _Actor:
    handle: Any
    demand: Demand
    kind: str | None = None
    unit: Unit | None = None


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


class Dispatcher:
    """Runs units over actors in a thread of its own, from `with` to its end.

    `on_result(unit, result)` is called for each finished unit; what it raises stops the run. `wait(names)` blocks
    until these units are done and raises what stopped the run.
    """

    def __init__(
        self,
        work: Work,
        demands: Mapping[str, Demand],
        on_result: Callable[[Unit, Any], None],
        workers: int | None = None,
    ) -> None:
        import ray

        self.ray = ray
        self.work, self.demands, self.on_result = ray.put(work), demands, on_result
        self.splitter = work
        total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self.free_cpus = float(workers or total.get("CPU", 1))
        self.free_gpus = float(total.get("GPU", 0))
        refuse_what_no_node_holds(demands, ray.nodes())  # type: ignore[no-untyped-call]
        self.actors: list[_Actor] = []
        self.running: dict[Any, _Actor] = {}
        self.ready: dict[str, deque[Unit]] = defaultdict(deque)
        self.waiting: dict[str, Unit] = {}
        self.children: dict[str, list[Unit]] = defaultdict(list)
        self.done: set[str] = set()
        self.error: BaseException | None = None
        self.closing = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._loop, name="sluice-dispatcher", daemon=True)

    def __enter__(self) -> Dispatcher:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.thread.join()

    def submit(self, units: Iterable[Unit]) -> None:
        """Queue units; those they need must be submitted too, or be done."""
        with self.changed:
            for unit in units:
                self._queue(unit)
            self.changed.notify_all()

    def wait(self, names: Sequence[str]) -> None:
        """Block until these units are done; raises what stopped the run."""
        with self.changed:
            self.changed.wait_for(lambda: self.error is not None or self.done.issuperset(names))
            if self.error is not None and not self.done.issuperset(names):
                raise self.error

    def stop(self, error: BaseException) -> None:
        """Hand out nothing more; whoever waits for what is not done gets this error."""
        with self.changed:
            self.error = error
            self.changed.notify_all()

    def _queue(self, unit: Unit) -> None:
        unit.needs -= self.done
        if unit.needs:
            self.waiting[unit.name] = unit
            for need in unit.needs:
                self.children[need].append(unit)
        else:
            self.ready[unit.kind].append(unit)

    def _loop(self) -> None:
        try:
            while True:
                with self.changed:
                    if self.closing or self.error is not None:
                        break
                    self._hand_out()
                    if not self.running:
                        self.changed.wait(POLL_SECONDS)
                        continue
                self._collect()
        except BaseException as error:  # the thread must hand whatever stopped it to those who wait
            self.stop(error)
        finally:
            for actor in self.actors:
                self.ray.kill(actor.handle)

    def _collect(self) -> None:
        finished, _ = self.ray.wait(list(self.running), timeout=POLL_SECONDS)
        for reference in finished:
            actor = self.running.pop(reference)
            unit, actor.unit = actor.unit, None
            assert unit is not None
            try:
                result = self.ray.get(reference)
            except self.ray.exceptions.RayActorError as error:
                self._bury(actor)
                self._after_death(unit, error)
            except self.ray.exceptions.RayTaskError as error:
                self._after_failure(unit, error)
            else:
                self.on_result(unit, result)
                self._finish(unit)

    def _finish(self, unit: Unit) -> None:
        with self.changed:
            self.done.add(unit.name)
            for child in self.children.pop(unit.name, []):
                child.needs.discard(unit.name)
                if not child.needs and child.name in self.waiting:
                    del self.waiting[child.name]
                    self.ready[child.kind].append(child)
            self.changed.notify_all()

    def _after_failure(self, unit: Unit, error: Any) -> None:
        unit.attempts += 1
        cause = error.cause if isinstance(error.cause, BaseException) else error
        if unit.attempts >= ATTEMPTS or isinstance(cause, SluiceError):
            raise ExecutionError(f"{unit.name} failed: {type(cause).__name__}: {cause}") from error
        log.warning("%s failed (%s: %s); attempt %d follows", unit.name, type(cause).__name__, cause, unit.attempts + 1)
        with self.changed:
            self.ready[unit.kind].append(unit)

    def _after_death(self, unit: Unit, error: Any) -> None:
        unit.deaths += 1
        log.warning("the worker of %s died (%d): %s", unit.name, unit.deaths, str(error).splitlines()[0])
        with self.changed:
            if unit.deaths < DEATHS:
                self.ready[unit.kind].appendleft(unit)
                return
            halves = self.splitter.halve(unit.payload)
            if halves is None:
                unit.payload = self.splitter.mark(unit.payload)
                self.ready[unit.kind].appendleft(unit)
                return
            self._bisect(unit, halves)

    def _bisect(self, unit: Unit, halves: tuple[Any, Any]) -> None:
        for side, payload in zip("ab", halves, strict=True):
            single = self.splitter.halve(payload) is None
            half = Unit(f"{unit.name}{side}", unit.kind, payload, deaths=0 if single else DEATHS - 1)
            unit.needs.add(half.name)
            self._queue(half)
        unit.deaths = 0
        self._queue(unit)

    def _bury(self, actor: _Actor) -> None:
        self.actors.remove(actor)
        self.free_cpus += actor.demand.cpus
        self.free_gpus += actor.demand.gpus

    def _hand_out(self) -> None:
        for actor in [a for a in self.actors if a.unit is None]:
            kind = self._kind_for(actor)
            if kind is not None:
                self._start(actor, kind)
        for kind in sorted((k for k in self.ready if self.ready[k]), key=lambda k: -len(self.ready[k])):
            while self.ready[kind] and (hired := self._hire(self.demands[kind])):
                self._start(hired, kind)

    def _kind_for(self, actor: _Actor) -> str | None:
        """The kind it has open, else of those with its demand the one with the most units ready."""
        if actor.kind is not None and self.ready[actor.kind]:
            return actor.kind
        fit = [k for k in sorted(self.ready) if self.ready[k] and self.demands[k] == actor.demand]
        return max(fit, key=lambda k: len(self.ready[k]), default=None)

    def _start(self, actor: _Actor, kind: str) -> None:
        actor.unit, actor.kind = self.ready[kind].popleft(), kind
        self.running[actor.handle.run.remote(kind, actor.unit.payload)] = actor

    def _hire(self, demand: Demand) -> _Actor | None:
        """A new actor where there is room, after letting idle ones of other demands go; else None."""
        for idle in [a for a in self.actors if a.unit is None and a.demand != demand]:
            if self._room(demand):
                break
            self.ray.kill(idle.handle)
            self._bury(idle)
        if not self._room(demand):
            return None
        options: dict[str, Any] = {"num_cpus": demand.cpus, "num_gpus": demand.gpus, "max_restarts": 0}
        if demand.accelerator:
            options["accelerator_type"] = demand.accelerator
        handle = self.ray.remote(_Worker).options(**options).remote(self.work)
        actor = _Actor(handle, demand)
        self.actors.append(actor)
        self.free_cpus -= demand.cpus
        self.free_gpus -= demand.gpus
        return actor

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
