"""The stage for the salient object's mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.perception.judges_folder import is_judges
from sluice.preprocess.record import Array, Record


class MaskParameters(LearnedParameters):
    """`model`: a U2-Net (`u2net-small`, `u2net`, or an ONNX file of one); the tabletop family's judges, which mask the
    nearest thing; `grabcut`, which needs no weights; or `source`, the mask that came with the image.

    `threshold`: the salience from which a pixel belongs to the object (U2-Net only).
    """

    model: str = "u2net-small"
    threshold: float = Field(default=0.5, gt=0, lt=1)


class Mask(Stage[MaskParameters]):
    """The salient object, 255 inside and 0 outside. An empty mask, or one that is everything, is kept as it is."""

    name = "mask"
    parameters_type = MaskParameters
    classical = frozenset({"grabcut", "source"})
    fallback = "grabcut"
    writes = ("mask.png",)
    mask: Callable[[Record], Array]

    def __init__(self, parameters: MaskParameters) -> None:
        super().__init__(parameters)
        self.reads = ("json", "raw.mask") if parameters.model == "source" else ("jpg",)

    @property
    def takes_batches(self) -> bool:
        return False

    def open(self, weights: Path | None) -> None:
        if self.parameters.model == "grabcut":
            from sluice.preprocess.perception.grabcut import grabcut_mask
            from sluice.preprocess.perception.superpixels import superpixels

            # Segments of its own: it is a fall-back, and must run where no segments stage does.
            self.mask = lambda record: grabcut_mask(record["jpg"], superpixels(record["jpg"]))
        elif self.parameters.model == "source":
            self.mask = _given
        elif weights is not None:
            self.mask = self._tabletop(weights) if is_judges(weights) else self._u2net(weights)

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            record["mask.png"] = self.mask(record)

    def _tabletop(self, weights: Path) -> Callable[[Record], Array]:
        from sluice.preprocess.perception.device import device
        from sluice.preprocess.perception.tabletop import TabletopSight

        sight = TabletopSight.load(weights, device(self.parameters.gpus))
        return lambda record: sight.nearest(record["jpg"])

    def _u2net(self, weights: Path) -> Callable[[Record], Array]:
        from sluice.preprocess.perception.onnx import OnnxNetwork
        from sluice.preprocess.perception.u2net import salient_mask

        p = self.parameters
        network = OnnxNetwork(weights, p.cpus, p.gpus)
        return lambda record: salient_mask(network, record["jpg"], p.threshold)


def _given(record: Record) -> Array:
    from sluice.preprocess.perception.geometry import Geometry
    from sluice.preprocess.perception.given_mask import given_mask

    if "raw.mask" not in record:
        raise ValueError("the source gives no mask for this image; choose another `stages.mask.model` than 'source'")
    return given_mask(record["raw.mask"], Geometry.from_json(record["json"]["geometry"]))
