"""Stage for the image as Stable Diffusion's autoencoder sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.preprocess.graph import LearnedParameters, Stage
from sluice.preprocess.record import Record


class LatentParameters(LearnedParameters):
    """`model`: a Stable Diffusion in the catalogue, or a folder with the subfolder `vae`."""

    model: str = "sd15"


class Latent(Stage[LatentParameters]):
    """Mean and deviation of the VAE's posterior, float16 `(2, channels, height / 8, width / 8)`, not scaled.

    Training draws `scaling_factor * (mean + deviation * noise)` with the VAE's own scaling factor.
    """

    name = "latent"
    optional = True
    parameters_type = LatentParameters
    reads = ("jpg",)
    writes = ("latent.npy",)

    def open(self, weights: Path | None) -> None:
        from sluice.preprocess.perception.device import device, dtype
        from sluice.preprocess.perception.vae import LatentEncoder

        assert weights is not None, "the latent stage has no classical model"
        place = device(self.parameters.gpus)
        self.encode = LatentEncoder(weights, place, dtype(self.parameters.precision, place), self.batch_size)

    def __call__(self, records: Sequence[Record]) -> None:
        for record, moments in zip(records, self.encode([record["jpg"] for record in records]), strict=True):
            record["latent.npy"] = moments
