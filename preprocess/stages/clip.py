"""Stages for CLIP image embeddings: of the image and of its background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.record import Record


class ClipParameters(LearnedParameters):
    """`model`: a CLIP in the catalogue, or a folder with its vision tower and projection."""

    model: str = "clip-vit-l14"


class _ClipStage(Stage[ClipParameters]):
    """CLIP's projected embedding of one image field, float16, not normalised."""

    optional = True
    parameters_type = ClipParameters
    sees: ClassVar[str]
    gives: ClassVar[str]

    def __init__(self, parameters: ClipParameters) -> None:
        super().__init__(parameters)
        self.reads, self.writes = (self.sees,), (self.gives,)

    def open(self, weights: Path | None) -> None:
        from sluice.preprocess.perception.clip import ImageEncoder
        from sluice.preprocess.perception.device import device, dtype

        assert weights is not None, "clip stages have no classical model"
        place = device(self.parameters.gpus)
        self.encode = ImageEncoder(weights, place, dtype(self.parameters.precision, place), self.batch_size)

    def __call__(self, records: Sequence[Record]) -> None:
        for record, embedding in zip(records, self.encode([r[self.sees] for r in records]), strict=True):
            record[self.gives] = embedding


class Clip(_ClipStage):
    """CLIP embedding of the whole image, which CnC's foreground stream takes (of I, not of I * M)."""

    name = "clip"
    sees, gives = "jpg", "clip.npy"


class BackgroundClip(_ClipStage):
    """CLIP embedding of the inpainted background."""

    name = "bg_clip"
    sees, gives = "bg.jpg", "bg_clip.npy"
