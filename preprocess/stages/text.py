"""Stage for the caption as Stable Diffusion reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.record import Record


class TextParameters(LearnedParameters):
    """`model`: a Stable Diffusion in the catalogue, or a folder with subfolders `tokenizer` and `text_encoder`."""

    model: str = "sd15"


class Text(Stage[TextParameters]):
    """The text encoder's last hidden state of the caption, float16 `(tokens, width)`, cached for training."""

    name = "text"
    optional = True
    parameters_type = TextParameters
    reads = ("txt",)
    writes = ("text.npy",)

    def open(self, weights: Path | None) -> None:
        from sluice.preprocess.perception.clip import TextEncoder
        from sluice.preprocess.perception.device import device, dtype

        assert weights is not None, "the text stage has no classical model"
        place = device(self.parameters.gpus)
        self.encode = TextEncoder(weights, place, dtype(self.parameters.precision, place), self.batch_size)

    def __call__(self, records: Sequence[Record]) -> None:
        for record, states in zip(records, self.encode([record["txt"] for record in records]), strict=True):
            record["text.npy"] = states
