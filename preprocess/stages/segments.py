"""The segments stage: what belongs together, as a label map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.record import Array, Record


class SegmentsParameters(LearnedParameters):
    """`model`: a SAM in the catalogue, a file of one, or `superpixels`, which needs no weights.

    `points_per_side` to `min_mask_region_area` are segment-anything's (see `automatic_masks.Settings`), with defaults
    for photographs of 512 pixels on a CPU, where a MobileSAM takes some 4 s an image on two cores: a quarter of it for
    the image, the rest in proportion to the points. `points_per_batch` does not change the masks beyond rounding; None
    is 4 on a CPU, whose caches hold no more, and 128 on a GPU. `min_area` is the smallest segment as a share of the
    image; seams between segments are closed up to `gap` pixels; `superpixels` is how many the classical way leaves.
    """

    model: str = "mobile-sam"
    points_per_side: int = Field(12, ge=1)
    points_per_batch: int | None = Field(None, ge=1)
    pred_iou_thresh: float = Field(0.85, ge=0, le=1)
    stability_score_thresh: float = Field(0.9, ge=0, le=1)
    stability_score_offset: float = Field(1.0, ge=0)
    box_nms_thresh: float = Field(0.7, ge=0, le=1)
    crop_n_layers: int = Field(0, ge=0)
    crop_nms_thresh: float = Field(0.7, ge=0, le=1)
    crop_overlap_ratio: float = Field(512 / 1500, ge=0, lt=1)
    crop_n_points_downscale_factor: int = Field(1, ge=1)
    min_mask_region_area: int = Field(100, ge=0)
    min_area: float = Field(0.001, ge=0, le=1)
    gap: int = Field(8, ge=0)
    superpixels: int = Field(24, ge=1)


class Segments(Stage[SegmentsParameters]):
    """A SAM's automatic masks with their overlaps settled, or superpixels merged by colour in their place."""

    name = "segments"
    slow = True
    classical: ClassVar[frozenset[str]] = frozenset({"superpixels"})
    fallback = "superpixels"
    parameters_type = SegmentsParameters
    reads = ("jpg",)
    writes = ("segments.png",)
    segment: Callable[[Sequence[Array]], list[Array]]

    def open(self, weights: Path | None) -> None:
        self.segment = self._superpixels() if weights is None else self._sam(weights)

    def _superpixels(self) -> Callable[[Sequence[Array]], list[Array]]:
        from sluice.preprocess.perception.superpixels import superpixels

        count = self.parameters.superpixels
        return lambda images: [superpixels(image, count, min_area=self._min_area(image)) for image in images]

    def _sam(self, weights: Path) -> Callable[[Sequence[Array]], list[Array]]:
        from sluice.preprocess.perception import sam
        from sluice.preprocess.perception.automatic_masks import Settings, automatic_masks
        from sluice.preprocess.perception.device import device, dtype
        from sluice.preprocess.perception.label_map import label_map

        place = device(self.parameters.gpus)
        network = sam.load(weights).to(place)
        network.image_encoder.to(dtype(self.parameters.precision, place))
        asked = self.parameters.model_dump(include=set(Settings.__dataclass_fields__), exclude_none=True)
        settings = Settings(**{"points_per_batch": 4 if place.type == "cpu" else 128} | asked)

        def segment(images: Sequence[Array]) -> list[Array]:
            found = automatic_masks(network, images, settings, self.batch_size)
            return [
                label_map(masks, image.shape[0], image.shape[1], self._min_area(image), self.parameters.gap)
                for masks, image in zip(found, images, strict=True)
            ]

        return segment

    def _min_area(self, image: Array) -> int:
        """The smallest segment in pixels."""
        return round(self.parameters.min_area * len(image) * len(image[0]))

    def __call__(self, records: Sequence[Record]) -> None:
        for record, labels in zip(records, self.segment([record["jpg"] for record in records]), strict=True):
            record["segments.png"] = labels
