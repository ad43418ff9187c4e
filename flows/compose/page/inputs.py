"""What jobs were given: each image once, where it says nothing hatched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sluice.flows.compose.page.thumbnails import thumbnail
from sluice.flows.compose.tree.energies import ColourEnergy
from sluice.flows.compose.tree.images import pixels_of
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.models import Control
from sluice.flows.compose.tree.nodes import Image, Node, OfRecord, OfScene
from sluice.infra.errors import SluiceError
from sluice.infra.page.blocks import Block, Figure, Strip
from sluice.preprocess.page.pictures import hatched
from sluice.preprocess.record import Array

MOST = 24
REACH = 8
"""A control is silent where it is black farther from its signal than this share of its height: edges have gaps."""


@dataclass(frozen=True)
class Input:
    """An image by what it is for; `speaks` is where it is heard, and with `by_itself` where it is not black."""

    label: str
    image: Image
    speaks: Image | None = None
    by_itself: bool = False


def input_blocks(jobs: Sequence[Job], folder: Path) -> list[Block]:
    """All images of some jobs, at most so many."""
    found = {own: job.size for job in jobs for own in inputs_of(job)}
    figures = [_figure(own, folder, size) for own, size in list(found.items())[:MOST]]
    return [Strip(figures)] if figures else []


def inputs_of(node: Any, what: str = "") -> Iterator[Input]:
    """Every image in a tree, by the nodes around it."""
    if isinstance(node, tuple):
        for own in node:
            yield from inputs_of(own, what)
    elif isinstance(node, Path | OfScene | OfRecord):
        yield Input(what, node)
    elif isinstance(node, Control):
        speaks_itself = node.speaks is None and not _is_depth(node)
        yield Input(f"control of {Path(node.network).name}", node.image, node.speaks, speaks_itself)
    elif isinstance(node, ColourEnergy):
        yield Input("region of colour", node.region, node.region)
    elif isinstance(node, Node):
        for name in type(node).model_fields:
            yield from inputs_of(getattr(node, name), f"{name} of {getattr(node, 'kind', 'it')}")


def silent_area(control: Array) -> Array:
    """Where a control image `(height, width, 3)`, 0 to 1, has no signal, bool: black, and nothing else near."""
    reach = max(1, control.shape[0] // REACH)
    signal = (control.max(axis=2) > 0).astype(np.uint8)
    near: Array = cv2.dilate(signal, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return np.asarray(near == 0)


def _is_depth(control: Control) -> bool:
    """Whether black means far, and says something: of files nobody knows but by the network's name."""
    field = control.image.drawn.field if isinstance(control.image, OfScene) else getattr(control.image, "field", "")
    return "depth" in field or "depth" in Path(control.network).name


def _figure(own: Input, folder: Path, size: int) -> Figure:
    told = own.image.name if isinstance(own.image, Path) else str(own.image)
    try:
        levels = pixels_of(own.image, folder, size)
        silent = _silent(own, levels, folder, size)
    except SluiceError as error:
        return Figure(own.label, text=str(error), note=told)
    image = np.rint(levels * 255).astype(np.uint8)
    share = f"; silent in {silent.mean():.0%}" if silent.any() else ""
    return thumbnail(own.label, hatched(image, silent), f"{told}{share}")


def _silent(own: Input, levels: Array, folder: Path, size: int) -> Array:
    if own.speaks is not None:
        return np.asarray(pixels_of(own.speaks, folder, size).mean(axis=2) < 0.5)
    return silent_area(levels) if own.by_itself else np.zeros(levels.shape[:2], bool)
