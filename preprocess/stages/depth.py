"""Stages for inverse depth: of the image, of its foreground, of its background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from sluice.preprocess.graph import UNFIT, LearnedParameters, Stage
from sluice.preprocess.record import Array, Record

CUE_LIMITS = (
    "`cue` guesses what is near from height in the picture, contrast, focus and colour, not from geometry; it is wrong "
    "on views from below or from straight above, close-ups and drawings, and invents depth on flat things"
)


class DepthParameters(LearnedParameters):
    """`model`: a DPT/MiDaS or Depth-Anything in the catalogue, a folder of one, `cue`, which needs no weights, or the
    tabletop family's judges.
    """

    model: str = "dpt-large"


class ForegroundDepthParameters(DepthParameters):
    """`of` is the paper's choice of three (CnC, Fig. 17), with I the image and M the salient mask.

    `masked_image`: depth of I * M, which CnC trains on; `image`: depth of I; `masked_depth`: M * depth of I * M.
    """

    of: Literal["image", "masked_image", "masked_depth"] = "masked_image"


P = TypeVar("P", bound=DepthParameters)


class _DepthStage(Stage[P]):
    """A depth stage's estimator: a network from weights, or the classical cue."""

    classical = frozenset({"cue"})
    fallback = "cue"
    estimate: Callable[[Sequence[Array]], list[Array]]

    def marks(self) -> tuple[str, ...]:
        """The cue's limits: a control learnt from it would learn where things lie in pictures, and not their depth."""
        return (UNFIT, CUE_LIMITS) if self.model in self.classical else ()

    def open(self, weights: Path | None) -> None:
        if weights is None:
            from sluice.preprocess.perception.depth_cue import depth_cue

            self.estimate = lambda images: [depth_cue(image) for image in images]
            return
        from sluice.preprocess.perception.depth import DepthNetwork
        from sluice.preprocess.perception.device import device, dtype
        from sluice.preprocess.perception.judges_folder import is_judges
        from sluice.preprocess.perception.tabletop import TabletopSight

        place = device(self.parameters.gpus)
        if is_judges(weights):
            self.estimate = TabletopSight.load(weights, place).depth
            return
        self.estimate = DepthNetwork(weights, place, dtype(self.parameters.precision, place), self.batch_size)

    def depth(self, images: Sequence[Array]) -> list[Array]:
        """Inverse depth as it is stored: uint16, min-max per image, near is large."""
        from sluice.preprocess.perception.depth import to_uint16

        return [to_uint16(inverse) for inverse in self.estimate(images)]


class Depth(_DepthStage[DepthParameters]):
    """Inverse depth of the image."""

    name = "depth"
    parameters_type = DepthParameters
    reads = ("jpg",)
    writes = ("depth.png",)

    def __call__(self, records: Sequence[Record]) -> None:
        for record, depth in zip(records, self.depth([record["jpg"] for record in records]), strict=True):
            record["depth.png"] = depth


class ForegroundDepth(_DepthStage[ForegroundDepthParameters]):
    """Inverse depth of the foreground, in one of the paper's three ways.

    The classical cue takes a black surrounding for a scene of its own: with it the surrounding is set to 0 (far).
    """

    name = "fg_depth"
    parameters_type = ForegroundDepthParameters
    writes = ("fg_depth.png",)

    def __init__(self, parameters: ForegroundDepthParameters) -> None:
        super().__init__(parameters)
        self.reads = ("jpg",) if parameters.of == "image" else ("jpg", "mask.png")
        self.masks_depth = parameters.of == "masked_depth" or (
            parameters.of == "masked_image" and parameters.model in self.classical
        )

    def __call__(self, records: Sequence[Record]) -> None:
        for record, depth in zip(records, self.depth([self._sees(record) for record in records]), strict=True):
            record["fg_depth.png"] = depth * _inside(record) if self.masks_depth else depth

    def _sees(self, record: Record) -> Array:
        image: Array = record["jpg"]
        return image if self.parameters.of == "image" else image * _inside(record)[..., None]


class BackgroundDepth(_DepthStage[DepthParameters]):
    """Inverse depth of the inpainted background."""

    name = "bg_depth"
    parameters_type = DepthParameters
    reads = ("bg.jpg",)
    writes = ("bg_depth.png",)

    def __call__(self, records: Sequence[Record]) -> None:
        for record, depth in zip(records, self.depth([record["bg.jpg"] for record in records]), strict=True):
            record["bg_depth.png"] = depth


def _inside(record: Record) -> Array:
    """The salient mask as uint8 0 or 1."""
    mask: Array = record["mask.png"]
    return (mask >= 128).astype("uint8")
