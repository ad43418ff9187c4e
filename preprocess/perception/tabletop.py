"""What the tabletop family's judges see in images of any size: inverse depth, poses, the nearest thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sluice.preprocess.perception.judges import Judgement, Judges
from sluice.preprocess.perception.skeleton import Person, settle
from sluice.preprocess.record import Array
from sluice.preprocess.tabletop.classes import class_number

if TYPE_CHECKING:
    import torch

SIDE = 64
"""The shorter side, in pixels, that the judges were trained at."""
POINT_THRESHOLD = 0.5
FEWEST_POINTS = 6
SMALLEST = 0.002
"""Share of the image below which a region is an error of the parser and no thing."""
ROOM = 2
"""The first classes are the room's: wall and table."""


class TabletopSight:
    """The judges, called on RGB uint8 images `(height, width, 3)`."""

    def __init__(self, judges: Judges, device: torch.device) -> None:
        self.judges, self.device = judges, device
        judges.network.to(device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> TabletopSight:
        """From the family's folder `judges`."""
        return cls(Judges.load(folder), device)

    def depth(self, images: Sequence[Array]) -> list[Array]:
        """Inverse depth `(height, width)` float32, in 1/m: near is large."""
        return [_enlarged(1 / self._judge(i).depth()[0, 0].clamp(min=0.1).cpu().numpy(), i) for i in images]

    def people(self, image: Array, threshold: float = POINT_THRESHOLD) -> list[Person]:
        """The figure, if there is one: at least six of its points are seen."""
        points = self._judge(image).points("pose")[0].cpu().numpy()
        height, width = image.shape[:2]
        scale = min(height, width) / SIDE
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        points *= points[:, 2:] >= threshold
        person = Person(points)
        return settle([person], height, width) if person.seen.sum() >= FEWEST_POINTS else []

    def nearest(self, image: Array) -> Array:
        """The thing that nothing stands before, uint8 `(height, width)`, 255 inside; empty where there is none."""
        found = self._judge(image)
        classes = found.classes()[0].argmax(dim=0).cpu().numpy()
        depth = found.depth()[0, 0].cpu().numpy()
        regions = list(_things(classes))
        if not regions:
            return np.zeros(image.shape[:2], np.uint8)
        nearest = min(regions, key=lambda region: float(np.median(depth[region])))
        inside = _enlarged(nearest.astype(np.float32), image)
        return (inside >= 0.5).astype(np.uint8) * np.uint8(255)

    def _judge(self, image: Array) -> Judgement:
        import torch

        height, width = image.shape[:2]
        scale = SIDE / min(height, width)
        size = (round(width * scale), round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        pixels = torch.from_numpy(small).to(self.device).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.inference_mode():
            return self.judges(pixels)


def _things(classes: Array) -> Iterator[Array]:
    """Where each thing is, bool `(height, width)`: what hangs together of one class, a face being part of its plate."""
    merged = np.where(classes >= class_number("plate"), class_number("plate"), classes)
    for number in np.unique(merged[merged >= ROOM]):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((merged == number).astype(np.uint8), connectivity=8)
        for region in range(1, count):
            if stats[region, cv2.CC_STAT_AREA] >= SMALLEST * classes.size:
                yield labels == region


def _enlarged(values: Array, image: Array) -> Array:
    height, width = image.shape[:2]
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
