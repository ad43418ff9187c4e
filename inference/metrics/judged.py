"""Where tabletop's judges see instances: COCO-MIG's detector and segmenter for pictures of that world."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import find_objects, label
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.instances import Detect, Instance, Segment
from sluice.infra.settings import nearest
from sluice.preprocess.perception.judges import Judges
from sluice.preprocess.record import Array

EIGHT = np.ones((3, 3))


@torch.no_grad()
def judged(judges: Judges, picture: Tensor) -> tuple[Detect, Segment]:
    """Both functions for a picture `(3, height, width)`, values -1 to 1; nouns are the judges' classes.

    A class is detected in each of its connected parts, and as a whole, as something in front may cut it in two. They
    raise Unmeasurable for a noun that is no class.
    """
    labels = judges.network.config.id2label
    rows = judges.rows["parser"]
    names = [labels[row].partition("/")[2] for row in range(rows.start, rows.stop)]
    seen = judges(picture[None]).classes()[0].argmax(dim=0).cpu().numpy()

    def of(noun: str) -> Array:
        if noun not in names:
            raise Unmeasurable(f"instances: the judges know no '{noun}'; {nearest(noun, names)}")
        return np.asarray(seen == names.index(noun))

    def segment(instance: Instance) -> Array:
        return of(instance.noun) & _filled(instance.box, seen.shape)

    return lambda noun: _boxes(of(noun)), segment


def _boxes(inside: Array) -> Array:
    """Around each connected part of a mask and around all of it, `(n, 4)`: left, top, right, bottom."""
    parts, _ = label(inside, structure=EIGHT)
    found = [*find_objects(parts), *find_objects(inside.astype(np.int32))]
    boxes = [(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in found]
    return np.array(boxes, np.float64).reshape(-1, 4)


def _filled(box: tuple[float, float, float, float], shape: tuple[int, ...]) -> Array:
    """The pixels whose centres a box holds."""
    left, top, right, bottom = box
    y, x = np.indices(shape) + 0.5
    return np.asarray((x >= left) & (x < right) & (y >= top) & (y < bottom))
