"""What runs where a worker was gone before its unit was done: by the unit's own doing, or with its node."""

from __future__ import annotations

import logging
from typing import Any

from sluice.infra.execution.actors import Work
from sluice.infra.execution.placement import ExecutionError
from sluice.infra.execution.unit import Unit
from sluice.infra.metrics import FAILURES

log = logging.getLogger("sluice.execute")

DEATHS = 2
LOSSES = 10
"""Nodes that one unit may lose. Where every tenth run loses its node, so many are chance once in 10^10 units; a unit
that takes a whole machine's memory has then taken ten machines."""


def after_death(unit: Unit, error: Any, work: Work) -> list[Unit]:
    """What is to be run in its place, by Ray's error: the unit again, or with its halves. Raises ExecutionError."""
    if getattr(error, "actor_init_failed", False):
        reason = str(error).strip().splitlines()[-1]
        raise ExecutionError(f"no worker can be started ({reason}); is the same code installed there?") from error
    if _with_its_node(error):
        return _after_loss(unit, error)
    unit.deaths += 1
    FAILURES.labels(unit.kind, "died").inc()
    said = "the worker of %s died (%d): %s"
    log.warning(said, unit.name, unit.deaths, str(error).splitlines()[0], extra=unit.about())
    if unit.deaths < DEATHS:
        return [unit]
    if unit.cornered:
        raise ExecutionError(f"{unit.name} kills its workers with nothing left in it to run; is there enough memory?")
    return _cornered(unit, work)


def _with_its_node(error: Any) -> bool:
    """Whether the node is gone, or out of reach and so about to be: whatever ran there is gone, and not to blame.

    Of a dead node Ray has no error of its own for actors, but says it in the one of a dead worker.
    """
    from ray.exceptions import ActorUnavailableError, ObjectLostError

    return isinstance(error, ActorUnavailableError | ObjectLostError) or "its node has died" in str(error)


def _after_loss(unit: Unit, error: Any) -> list[Unit]:
    unit.losses += 1
    FAILURES.labels(unit.kind, "lost").inc()
    said = "the node that ran %s was lost (%d of at most %d): %s"
    log.warning(said, unit.name, unit.losses, LOSSES, str(error).strip().splitlines()[-1], extra=unit.about())
    if unit.losses >= LOSSES:
        raise ExecutionError(
            f"{unit.name} was on {LOSSES} nodes, one after the other, that were lost before it was done: the cluster "
            "does not hold so long, or the unit takes a whole machine's memory. What is done is kept: look at the "
            "nodes (`ray status`, their system's log), and run the same command again"
        ) from error
    return [unit]


def _cornered(unit: Unit, work: Work) -> list[Unit]:
    """Its halves, and then itself with nothing left to run; or marked, where it cannot be halved."""
    halves = work.halve(unit.payload)
    unit.deaths, unit.cornered = 0, True
    if halves is None:
        unit.payload = work.mark(unit.payload)
        return [unit]
    *sides, unit.payload = halves
    parts = []
    for side, payload in zip("ab", sides, strict=True):
        single = work.halve(payload) is None
        parts.append(unit.part(side, payload, deaths=0 if single else DEATHS - 1))
    unit.needs |= {part.name for part in parts}
    return [*parts, unit]
