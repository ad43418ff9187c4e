"""Units of work over Ray actors: one dispatcher hands out what is ready and counts attempts.

An actor holds what one kind of unit needs (a stage's model) and opens another kind's only when its own has nothing
left, so that a laptop's two actors serve seventeen stages and a cluster's GPUs keep their models. A unit whose worker
dies is tried again; one that kills its worker twice is halved until the culprit stands alone, and is then marked.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.infra import interrupts
from sluice.infra.errors import SluiceError
from sluice.infra.execution.actors import Actor, Crew, Work
from sluice.infra.execution.deaths import after_death
from sluice.infra.execution.placement import Demand, ExecutionError
from sluice.infra.execution.unit import Unit
from sluice.infra.metrics import BUSY, FAILURES, GPU_SECONDS, SECONDS, UNITS

log = logging.getLogger("sluice.execute")

ATTEMPTS = 3
POLL_SECONDS = 0.2


@dataclass
class Pace:
    """How long units of one kind have taken, in seconds."""

    seconds: float = 0.0
    units: int = 0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.units += 1

    @property
    def mean(self) -> float:
        """Infinite while none has been timed."""
        return self.seconds / self.units if self.units else math.inf


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
        self.work, self.on_result = work, on_result
        self.crew = Crew(work, demands, workers)
        self.shares = self.crew.shares
        self.ray = self.crew.ray
        known = self.ray.exceptions
        self.gone = (known.RayActorError, known.OutOfMemoryError, known.ObjectLostError)
        self.running: dict[Any, Actor] = {}
        self.ready: dict[str, deque[Unit]] = defaultdict(deque)
        self.waiting: dict[str, Unit] = {}
        self.children: dict[str, list[Unit]] = defaultdict(list)
        self.done: set[str] = set()
        self.paces: dict[str, Pace] = defaultdict(Pace)
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
        """Queue units, again if they were done; those they need must be submitted too, or be done."""
        units = list(units)
        with self.changed:
            self.done -= {unit.name for unit in units}
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

    def _queue(self, unit: Unit, first: bool = False) -> None:
        unit.needs -= self.done
        if unit.needs:
            self.waiting[unit.name] = unit
            for need in unit.needs:
                self.children[need].append(unit)
        elif first:
            self.ready[unit.kind].appendleft(unit)
        else:
            self.ready[unit.kind].append(unit)

    def _loop(self) -> None:
        try:
            while True:
                if interrupts.pressed():
                    raise KeyboardInterrupt
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
            self.crew.dismiss()

    def _collect(self) -> None:
        finished, _ = self.ray.wait(list(self.running), timeout=POLL_SECONDS)
        for reference in finished:
            actor = self.running.pop(reference)
            unit, actor.unit = actor.unit, None
            assert unit is not None
            BUSY.labels(unit.kind).dec()
            try:
                result = self.ray.get(reference)
            except self.gone as error:
                self.crew.bury(actor)
                self._after_death(unit, error)
            except self.ray.exceptions.RayError as error:  # raised there, or Ray's own, as of a full disk
                self._after_failure(unit, error)
            else:
                self._count(unit, time.monotonic() - actor.began)
                self.on_result(unit, result)
                self._finish(unit)

    def _count(self, unit: Unit, seconds: float) -> None:
        unit.seconds = seconds
        self.paces[unit.kind].add(seconds)
        UNITS.labels(unit.kind).inc()
        SECONDS.labels(unit.kind).inc(seconds)
        GPU_SECONDS.labels(unit.kind).inc(seconds * self.shares[unit.kind].gpus)

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
        FAILURES.labels(unit.kind, "raised").inc()
        cause = getattr(error, "cause", None) or error
        if unit.attempts >= ATTEMPTS or isinstance(cause, SluiceError):
            raise ExecutionError(f"{unit.name} failed: {type(cause).__name__}: {cause}") from error
        said = "%s failed (%s: %s); attempt %d follows"
        log.warning(said, unit.name, type(cause).__name__, cause, unit.attempts + 1, extra=unit.about())
        with self.changed:
            self.ready[unit.kind].append(unit)

    def _after_death(self, unit: Unit, error: Any) -> None:
        with self.changed:
            for next_ in reversed(after_death(unit, error, self.work)):
                self._queue(next_, first=True)

    def _hand_out(self) -> None:
        for actor in self.crew.idle():
            kind = self._kind_for(actor)
            if kind is not None:
                self._start(actor, kind)
        for kind in sorted((k for k in self.ready if self.ready[k]), key=self._work_left, reverse=True):
            while self.ready[kind] and (hired := self.crew.hire(self.shares[kind])):
                self._start(hired, kind)
        self.crew.release()
        self.crew.ask((self.shares[kind], len(units)) for kind, units in self.ready.items() if units)

    def _kind_for(self, actor: Actor) -> str | None:
        """The kind it has open, else of those with its share the one with the most work ready."""
        if actor.kind is not None and self.ready[actor.kind]:
            return actor.kind
        fit = [k for k in sorted(self.ready) if self.ready[k] and self.shares[k] == actor.share]
        return max(fit, key=self._work_left, default=None)

    def _work_left(self, kind: str) -> tuple[float, int]:
        """Seconds of a kind's ready units, unknown ones first: what takes longest must not be left to one worker."""
        count = len(self.ready[kind])
        return count * self.paces[kind].mean, count

    def _start(self, actor: Actor, kind: str) -> None:
        actor.unit, actor.kind, actor.began = self.ready[kind].popleft(), kind, time.monotonic()
        self.running[actor.handle.run.remote(kind, actor.unit.payload)] = actor
        BUSY.labels(kind).inc()
