"""Which pictures are made together: those that differ in prompt, seed, and what their conditions show or say alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.tree.job import Job


@dataclass(frozen=True)
class Batch:
    """Pictures that may be made together, as one of `size`, by a job that leaves open what differs among them.

    Of one that is `watched` it is noted how its first pictures come about.
    """

    job: Job
    asked: tuple[Asked, ...]
    size: int
    deadly: bool = False
    watched: bool = False


def batches_of(asked: Sequence[Asked], size: int | None = None) -> list[Batch]:
    """In batches of `size`, or of what their jobs say, those of one job after each other."""
    groups: dict[str, list[Asked]] = defaultdict(list)
    for own in asked:
        groups[json.dumps(_apart(own.record["job"], []), sort_keys=True)].append(own)
    batches = []
    for plain, members in groups.items():
        job = Job.model_validate({**json.loads(plain), "prompts": ["each its own"]})
        width = size or job.batch
        starts = range(0, len(members), width)
        batches += [Batch(job, tuple(members[start : start + width]), width) for start in starts]
    return batches


def own_conditions(asked: Asked) -> list[Any]:
    """What a picture's controls and energies show or say, as plain values, in their order."""
    told: list[Any] = []
    _apart(asked.record["job"], told)
    return told


def instead(told: Sequence[Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    """For each condition that a job leaves open, what the pictures of a batch have in its place."""
    return {_stand_in(number): each for number, each in enumerate(zip(*told, strict=True))}


def _apart(node: Any, told: list[Any]) -> Any:
    """A job's plain values without prompts and seeds, stand-ins for what its conditions tell, which is noted."""
    if isinstance(node, list):
        return [_apart(own, told) for own in node]
    if not isinstance(node, dict):
        return node
    own = _own_of(node)
    kept = {name: value for name, value in node.items() if name not in ("prompts", "seeds")}
    return {name: (_stand_ins if name in own else _apart)(value, told) for name, value in kept.items()}


def _own_of(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Under which names a node has what each picture of a batch may have of its own."""
    if "rho" in node:  # an energy
        return ("image", "region", "text")
    if "network" in node:
        return ("image", "speaks")
    return ("mask", "depths", "exemplars") if node.get("kind") == "compose_and_conquer" else ()


def _stand_ins(value: Any, told: list[Any]) -> Any:
    if isinstance(value, list):
        return [_stand_ins(own, told) for own in value]
    if value is None:
        return None
    told.append(value)
    return _stand_in(len(told) - 1)


def _stand_in(number: int) -> str:
    return f"condition {number}"
