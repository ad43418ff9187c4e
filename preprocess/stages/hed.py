"""The stage for soft edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.record import Array, Record


class HedParameters(LearnedParameters):
    """`model`: HED's weights in the catalogue, a file of them, or `gradient`, which needs none."""

    model: str = "hed"


class Hed(Stage[HedParameters]):
    """Holistically-nested edges of the image, or a smoothed gradient's strength in their place."""

    name = "hed"
    parameters_type = HedParameters
    classical = frozenset({"gradient"})
    fallback = "gradient"
    slow = True
    reads = ("jpg",)
    writes = ("hed.png",)
    edges: Callable[[Sequence[Array]], Sequence[Array]]

    def open(self, weights: Path | None) -> None:
        if weights is None:
            from sluice.preprocess.perception.edges import gradient

            self.edges = lambda images: [gradient(image) for image in images]
            return
        from sluice.preprocess.perception.batch import in_batches
        from sluice.preprocess.perception.device import device, dtype
        from sluice.preprocess.perception.hed import load_hed, soft_edges

        place = device(self.parameters.gpus)
        network = load_hed(weights, place, dtype(self.parameters.precision, place))
        self.edges = lambda images: in_batches(images, self.batch_size, lambda batch, _: soft_edges(network, batch))

    def __call__(self, records: Sequence[Record]) -> None:
        for record, edges in zip(records, self.edges([record["jpg"] for record in records]), strict=True):
            record["hed.png"] = edges
