"""That images which act place by place have the size of a job's pictures, told by their heads before anything loads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from sluice.flows.compose.tree.job import Job, JudgedEnergy
from sluice.flows.compose.tree.models import Reference
from sluice.flows.compose.tree.nodes import Node
from sluice.infra.settings import ConfigError

EXEMPLARS = "exemplars"
ANY_SIZE = (Reference, JudgedEnergy)
"""With exemplars: what networks see that scale it for themselves, or look for a face in it."""


def refuse_other_sizes(job: Job, folder: Path) -> None:
    """Raises ConfigError for a file that is no image, or is not as large as the job's pictures."""
    for path in _sized(job):
        try:
            with Image.open(folder / path) as image:
                width, height = image.size
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise ConfigError(f"{folder / path}, a condition of the job, is no image that can be read") from error
        if (width, height) != (job.size, job.size):
            raise ConfigError(
                f"{folder / path} is {width} x {height} pixels, and the job's pictures are {job.size} x {job.size}: "
                "scale it, or set `size`"
            )


def _sized(node: Any) -> Iterator[Path]:
    if isinstance(node, Path):
        yield node
    elif isinstance(node, tuple):
        for own in node:
            yield from _sized(own)
    elif isinstance(node, Node) and not isinstance(node, ANY_SIZE):
        for name in type(node).model_fields:
            if name != EXEMPLARS:
                yield from _sized(getattr(node, name))
