"""What the tabletop family can do, on scenes that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sluice.flows.tabletop.boxes import measure_boxes
from sluice.flows.tabletop.distance import measure_distance
from sluice.flows.tabletop.figure import Figure
from sluice.flows.tabletop.inpainting import measure_inpainting
from sluice.flows.tabletop.making import measure_classes, measure_faces, measure_unet
from sluice.flows.tabletop.reference import measure_reference
from sluice.flows.tabletop.seeing import (
    measure_autoencoder,
    measure_identity,
    measure_image_encoder,
    measure_judges,
    measure_latent_judges,
    measure_text_encoder,
)
from sluice.infra.errors import SluiceError


@dataclass(frozen=True)
class Measure:
    """How figures are made, of how many pictures, and of which folders of the family, the measured one first."""

    of: Callable[[Path, int], list[Figure]]
    pictures: int
    folders: tuple[str, ...]


MAKES = ("vae", "text_encoder", "unet")

MEASURES = (
    Measure(measure_autoencoder, 500, ("vae",)),
    Measure(measure_text_encoder, 500, ("text_encoder",)),
    Measure(measure_image_encoder, 500, ("image_encoder", "text_encoder")),
    Measure(measure_judges, 500, ("judges",)),
    Measure(measure_latent_judges, 500, ("latent_judges", "vae")),
    Measure(measure_identity, 500, ("identity",)),
    Measure(measure_unet, 200, ("unet", "judges", *MAKES)),
    Measure(measure_distance, 500, ("unet", "judges", *MAKES)),
    Measure(measure_inpainting, 200, ("inpaint_unet", *MAKES)),
    Measure(measure_classes, 200, ("unet_class", "judges", *MAKES)),
    Measure(measure_boxes, 200, ("unet_boxes", "judges", *MAKES)),
    Measure(measure_reference, 200, ("ip_adapter", "judges", "image_encoder", *MAKES)),
    Measure(measure_faces, 100, ("unet_face", "judges")),
)


class NothingTrained(SluiceError):
    """There is no model to measure."""


def measure_family(models: Path, share: float = 1.0) -> Iterator[Figure]:
    """Every figure of the parts that are there, or a quick look at a `share` of the pictures.

    Raises NothingTrained where no part is there.
    """
    possible = [measure for measure in MEASURES if all((models / folder).exists() for folder in measure.folders)]
    if not possible:
        folders = ", ".join(dict.fromkeys(measure.folders[0] for measure in MEASURES))
        raise NothingTrained(f"{models} holds none of {folders}; `sluice train tabletop` trains them.")
    for measure in possible:
        yield from measure.of(models, max(2, round(measure.pictures * share)))
