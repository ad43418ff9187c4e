"""Pictures of jobs as tensors: kept in a folder by their names, so that nothing is made twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from sluice.flows.compose.run.flow import compose_all
from sluice.flows.compose.run.pictures import MadeOf, pictures_of
from sluice.flows.compose.tree.job import Job
from sluice.infra.errors import SluiceError
from sluice.infra.storage import storage
from sluice.preprocess.record import Array


class NotMade(SluiceError):
    """Pictures of a protocol were quarantined."""

    exit_code = 1


def made(jobs: Sequence[Job], place: Path, console: Console) -> Tensor:
    """Of each job its pictures, seed by seed: `(jobs seeds, 3, height, width)`, values -1 to 1, as PNG rounds them.

    Images that jobs name by file lie in `place`; pictures come to `place/pictures`. Raises NotMade.
    """
    made_of, out = MadeOf(place), place / "pictures"
    asked = [own for job in jobs for own in pictures_of(job, made_of)]
    composed = compose_all(asked, place, storage(out), console)
    if composed.quarantined:
        raise NotMade(f"{len(composed.quarantined)} pictures were not made; {out / 'quarantine'} says why")
    levels = np.stack([_read(out / f"{own.name}.png") for own in asked])
    return torch.from_numpy(levels.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)


def _read(path: Path) -> Array:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))
