"""What the tabletop family can do, on scenes that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sluice.flows.tabletop.boxes import measure_boxes
from sluice.flows.tabletop.figure import Figure
from sluice.flows.tabletop.inpainting import measure_inpainting
from sluice.flows.tabletop.making import measure_classes, measure_faces, measure_unet
from sluice.flows.tabletop.reference import measure_reference
from sluice.flows.tabletop.seeing import (
    measure_autoencoder,
    measure_encoders,
    measure_identity,
    measure_judges,
    measure_latent_judges,
)
from sluice.infra.errors import SluiceError

MEASURES: dict[str, tuple[Callable[[Path], list[Figure]], tuple[str, ...]]] = {
    "vae": (measure_autoencoder, ()),
    "text_encoder": (measure_encoders, ()),
    "judges": (measure_judges, ()),
    "latent_judges": (measure_latent_judges, ("vae",)),
    "identity": (measure_identity, ()),
    "unet": (measure_unet, ("judges",)),
    "inpaint_unet": (measure_inpainting, ("unet",)),
    "unet_class": (measure_classes, ("unet", "judges")),
    "unet_boxes": (measure_boxes, ("unet", "judges")),
    "ip_adapter": (measure_reference, ("unet", "judges")),
    "unet_face": (measure_faces, ("judges",)),
}
"""By the folder that is measured: how, and which folders it takes besides."""


class NothingTrained(SluiceError):
    """There is no model to measure."""


def measure_family(models: Path) -> Iterator[Figure]:
    """Every figure of the parts that are there. Raises NothingTrained where there are none."""
    there = {folder for folder in MEASURES if (models / folder).exists()}
    if not there:
        raise NothingTrained(f"{models} holds none of {', '.join(MEASURES)}; `sluice train tabletop` trains them.")
    for folder, (measure, besides) in MEASURES.items():
        if folder in there and there.issuperset(besides):
            yield from measure(models)
