"""Pictures of jobs, and these as tensors: kept in a folder by their names, so that nothing is made twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from sluice.flows.compose.run.flow import compose_all
from sluice.flows.compose.run.pictures import MadeOf, pictures_of
from sluice.flows.compose.run.runs import KIND, Run
from sluice.flows.compose.tree.job import Job
from sluice.infra.errors import SluiceError
from sluice.infra.storage import storage
from sluice.preprocess.record import FieldError, decode_png

FOLDER = "pictures"


class NotMade(SluiceError):
    """Pictures of a protocol were quarantined."""

    exit_code = 1


def made(jobs: Sequence[Job], place: Path, console: Console, run: Run, stage: str = KIND) -> list[str]:
    """Of each job the names of its pictures, seed by seed, counted as a `stage`'s; damaged ones are made again.

    Images that jobs name by file lie in `place`; pictures come to `place/pictures`. Raises NotMade.
    """
    made_of, out = MadeOf(place), place / FOLDER
    asked = [own for job in jobs for own in pictures_of(job, made_of)]
    sizes = {out / f"{own.name}.png": own.record["job"]["size"] for own in asked}
    if damaged := [path for path, size in sizes.items() if path.exists() and not _is_whole(path, size)]:
        console.print(f"{len(damaged)} pictures are damaged and made again (first: {damaged[0]})", style="yellow")
        for path in damaged:
            path.unlink(missing_ok=True)
    composed = compose_all(asked, place, storage(out), console, run, kind=stage)
    if composed.quarantined:
        raise NotMade(f"{len(composed.quarantined)} pictures were not made; {out / 'quarantine'} says why")
    return [own.name for own in asked]


def pixels_of(names: Sequence[str], place: Path) -> Tensor:
    """Pictures by their names, `(n, 3, height, width)`, values -1 to 1, as PNG rounds them."""
    levels = np.stack([decode_png((place / FOLDER / f"{name}.png").read_bytes()) for name in names])
    return torch.from_numpy(levels.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)


def _is_whole(path: Path, size: int) -> bool:
    """Whether a picture and the record beside it can be read."""
    try:
        record = json.loads(path.with_suffix(".json").read_bytes())
        return isinstance(record, dict) and decode_png(path.read_bytes()).shape == (size, size, 3)
    except (FieldError, FileNotFoundError, ValueError, RecursionError):
        return False
