"""Stages for Canny's edges: of the image, of its foreground, of its background."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from sluice.preprocess.graph import Parameters, Stage
from sluice.preprocess.perception.edges import canny, inside
from sluice.preprocess.record import Record


class CannyParameters(Parameters):
    """Hysteresis thresholds on the Sobel magnitude, and the deviation in pixels of a blur before it (0: none)."""

    low: float = Field(default=100, ge=0)
    high: float = Field(default=200, ge=0)
    blur: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> CannyParameters:
        if self.low > self.high:
            raise ValueError(f"`low` ({self.low:g}) is above `high` ({self.high:g}); edges begin above `high`")
        return self


class ForegroundCannyParameters(CannyParameters):
    """`margin`: pixels by which the mask is grown, so that the object's outline survives a tight mask."""

    margin: int = Field(default=3, ge=0)


class Canny(Stage[CannyParameters]):
    """Canny's edges of the image."""

    name = "canny"
    parameters_type = CannyParameters
    reads = ("jpg",)
    writes = ("canny.png",)

    def __call__(self, records: Sequence[Record]) -> None:
        p = self.parameters
        for record in records:
            record["canny.png"] = canny(record["jpg"], p.low, p.high, p.blur)


class ForegroundCanny(Stage[ForegroundCannyParameters]):
    """Canny's edges of the image, kept inside the salient mask.

    Not the edges of the masked image: blacking out the background draws an edge along the whole mask, also where the
    object goes on or blends into what is behind it. Here an outline is there only where the image shows one.
    """

    name = "fg_canny"
    parameters_type = ForegroundCannyParameters
    reads = ("jpg", "mask.png")
    writes = ("fg_canny.png",)

    def __call__(self, records: Sequence[Record]) -> None:
        p = self.parameters
        for record in records:
            edges = canny(record["jpg"], p.low, p.high, p.blur)
            record["fg_canny.png"] = inside(edges, record["mask.png"], p.margin)


class BackgroundCanny(Stage[CannyParameters]):
    """Canny's edges of the inpainted background, whole: it has no border of a mask."""

    name = "bg_canny"
    parameters_type = CannyParameters
    reads = ("bg.jpg",)
    writes = ("bg_canny.png",)

    def __call__(self, records: Sequence[Record]) -> None:
        p = self.parameters
        for record in records:
            record["bg_canny.png"] = canny(record["bg.jpg"], p.low, p.high, p.blur)
