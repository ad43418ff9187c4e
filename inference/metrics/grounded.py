"""Where networks of photographs see instances: COCO-MIG's own detector and segmenter (LeyRio/MIG_Bench)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from sluice.inference.metrics.instances import Detect, Segment
from sluice.preprocess.perception import sam
from sluice.preprocess.perception.grounding_dino import GroundingDino
from sluice.preprocess.perception.sam_box import boxed
from sluice.preprocess.record import Array


@dataclass(frozen=True)
class Grounded:
    """Grounding DINO told a noun, and Segment Anything told the box that was asked for."""

    detector: GroundingDino
    segmenter: Any

    @classmethod
    def load(cls, detector: Path, segmenter: Path) -> Self:
        """From a folder as transformers saves it and a file of Segment Anything, on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(GroundingDino(detector, device), sam.load(segmenter).to(device))

    def __call__(self, picture: Array) -> tuple[Detect, Segment]:
        """Both functions for an RGB uint8 picture `(height, width, 3)`."""
        masks = boxed(self.segmenter, picture)
        return lambda noun: self.detector(picture, noun), lambda instance: masks(instance.box)
