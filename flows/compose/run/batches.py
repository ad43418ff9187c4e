"""Which pictures are made together: those that differ in prompt, seed and the images of their controls alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.nodes import Image, image_of


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


def own_images(asked: Asked) -> list[Any]:
    """The images of a picture's controls, as plain values, in their order."""
    images: list[Any] = []
    _apart(asked.record["job"], images)
    return images


def instead(images: Sequence[Sequence[Any]]) -> dict[Image, list[Image]]:
    """For each image that a job leaves open, those of the pictures of a batch."""
    return {
        image_of(_stand_in(number)): [image_of(own) for own in each]
        for number, each in enumerate(zip(*images, strict=True))
    }


def _apart(node: Any, images: list[Any]) -> Any:
    """A job's plain values without prompts and seeds, stand-ins for the images of its controls, which are noted."""
    if isinstance(node, list):
        return [_apart(own, images) for own in node]
    if not isinstance(node, dict):
        return node
    own = _images_of(node)
    kept = {name: value for name, value in node.items() if name not in ("prompts", "seeds")}
    return {name: (_stand_ins if name in own else _apart)(value, images) for name, value in kept.items()}


def _images_of(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Under which names a node has images that each picture of a batch may have of its own."""
    if "network" in node:
        return ("image", "speaks")
    return ("mask", "depths", "exemplars") if node.get("kind") == "compose_and_conquer" else ()


def _stand_ins(value: Any, images: list[Any]) -> Any:
    if isinstance(value, list):
        return [_stand_ins(own, images) for own in value]
    if value is None:
        return None
    images.append(value)
    return _stand_in(len(images) - 1)


def _stand_in(number: int) -> str:
    return f"image {number}"
