"""That a job's images are there and can be used where they are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from sluice.flows.compose.tree.energies import JudgedEnergy
from sluice.flows.compose.tree.images import pixels_of
from sluice.flows.compose.tree.misfit import Place
from sluice.flows.compose.tree.models import Reference
from sluice.flows.compose.tree.nodes import Image, OfRecord
from sluice.preprocess.record import Array

EXEMPLARS = "exemplars"
ANY_SIZE = (Reference, JudgedEnergy)
"""With exemplars: what networks see that scale it for themselves, or look for a face in it."""
MASKS = {"mask", "speaks", "region"}


def image_fits(place: Place, image: Image, owner: Any, folder: Path, size: int) -> Iterator[str]:
    """What is wrong with an image at its place, in a job of so large pictures. Raises as `pixels_of`."""
    any_size = scaled(place, owner)
    if isinstance(image, Path):
        yield from _file(folder / image, None if any_size else size)
    elif isinstance(image, OfRecord) and not any_size:
        height, width = pixels_of(image, folder, size).shape[:2]
        yield from _size(str(image), (width, height), size)
    if place[-1] in MASKS and _is_empty(pixels_of(image, folder, size)):
        name = folder / image if isinstance(image, Path) else image
        yield f"{name} is a mask with nothing in it: white is where a condition speaks"


def scaled(place: Place, owner: Any) -> bool:
    """Whether what sees the image there takes it in any size."""
    return isinstance(owner, ANY_SIZE) or EXEMPLARS in place


def _is_empty(levels: Array) -> bool:
    return not (levels.mean(axis=2) >= 0.5).any()


def _file(file: Path, size: int | None) -> Iterator[str]:
    """By its head alone."""
    try:
        with Pillow.open(file) as image:
            found = image.size
    except FileNotFoundError:
        yield f"{file}, a condition of the job, is not there"
    except (UnidentifiedImageError, Pillow.DecompressionBombError, OSError):
        yield f"{file}, a condition of the job, is no image that can be read"
    else:
        if size is not None:
            yield from _size(str(file), found, size)


def _size(name: str, found: tuple[int, int], size: int) -> Iterator[str]:
    if found != (size, size):
        yield (
            f"{name} is {found[0]} x {found[1]} pixels, and the job's pictures are {size} x {size}: scale it, or set "
            "`size`"
        )
