"""That a job's images are there and can be used where they are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluice.flows.compose.tree.energies import JudgedEnergy
from sluice.flows.compose.tree.images import pixels_of
from sluice.flows.compose.tree.misfit import Place
from sluice.flows.compose.tree.models import Reference
from sluice.flows.compose.tree.nodes import Image, OfScene
from sluice.preprocess.record import Array

EXEMPLARS = "exemplars"
ANY_SIZE = (Reference, JudgedEnergy)
"""With exemplars: what networks see that scale it for themselves, or look for a face in it."""
MASKS = {"mask", "speaks", "region"}


def image_fits(place: Place, image: Image, owner: Any, folder: Path, size: int) -> Iterator[str]:
    """What is wrong with an image at its place, in a job of so large pictures. Raises as `pixels_of`."""
    if isinstance(image, OfScene) and place[-1] not in MASKS:  # drawn as large as it is wanted
        return
    levels = pixels_of(image, folder, size)
    name, (height, width) = str(folder / image if isinstance(image, Path) else image), levels.shape[:2]
    if not scaled(place, owner) and (height, width) != (size, size):
        yield (
            f"{name} is {width} x {height} pixels, and the job's pictures are {size} x {size}: scale it, or set `size`"
        )
    if place[-1] in MASKS and _is_empty(levels):
        yield f"{name} is a mask with nothing in it: white is where a condition speaks"


def scaled(place: Place, owner: Any) -> bool:
    """Whether what sees the image there takes it in any size."""
    return isinstance(owner, ANY_SIZE) or EXEMPLARS in place


def _is_empty(levels: Array) -> bool:
    return not (levels.mean(axis=2) >= 0.5).any()
