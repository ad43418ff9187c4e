"""The stage that keeps unsafe pictures out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.record import Array, Record


class SafetyParameters(LearnedParameters):
    """`model`: `open-nsfw`, or any image classifier in transformers' format by name or folder.

    A picture whose score exceeds `threshold` leaves the data set. `unsafe_labels`: which of a transformers classifier's
    labels mean unsafe; the score is the sum of their probabilities.
    """

    model: str = "open-nsfw"
    threshold: float = Field(default=0.8, ge=0, le=1)
    unsafe_labels: tuple[str, ...] = ("nsfw",)


class Safety(Stage[SafetyParameters]):
    """Filters out records whose image is probably unsafe, with the score as the reason; keeps the score of the rest."""

    name = "safety"
    parameters_type = SafetyParameters
    reads = ("jpg",)
    writes = ("safety.json",)
    score: Callable[[Array], float]

    @property
    def takes_batches(self) -> bool:
        return False

    def open(self, weights: Path | None) -> None:
        p = self.parameters
        if weights is None:
            raise ValueError("the stage 'safety' needs weights: nothing classical tells safe from unsafe")
        if weights.is_file():
            from sluice.preprocess.perception.nsfw import open_nsfw
            from sluice.preprocess.perception.onnx import OnnxNetwork

            network = OnnxNetwork(weights, p.cpus, p.gpus)
            self.score = lambda image: open_nsfw(network, image)
        else:
            from sluice.preprocess.perception.device import device, dtype
            from sluice.preprocess.perception.nsfw import Classifier

            place = device(p.gpus)
            self.score = Classifier(weights, p.unsafe_labels, place, dtype(p.precision, place))

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            score = self.score(record["jpg"])
            if score > self.parameters.threshold:
                record.reject(f"unsafe: {score:.2f} > threshold {self.parameters.threshold:.2f}", "filtered")
            record["safety.json"] = {"unsafe": round(score, 4), "model": self.parameters.model}
