"""The whole family, in the order in which it is trained, and how long each part is."""

from __future__ import annotations

from pathlib import Path

from sluice.training.tabletop.autoencoder import Autoencoder
from sluice.training.tabletop.box_denoiser import BoxDenoiser
from sluice.training.tabletop.class_denoiser import ClassDenoiser
from sluice.training.tabletop.denoiser import Denoiser
from sluice.training.tabletop.face_denoiser import FaceDenoiser
from sluice.training.tabletop.identity import IdentityJudge
from sluice.training.tabletop.image_encoder import ImageEncoder
from sluice.training.tabletop.inpainter import Inpainter
from sluice.training.tabletop.judges import Judges
from sluice.training.tabletop.latent_judges import LatentJudges
from sluice.training.tabletop.recipe import Part, Recipe
from sluice.training.tabletop.reference import Reference
from sluice.training.tabletop.scenes import Scenes
from sluice.training.tabletop.text_encoder import TextEncoder

PICTURES = Scenes((("tabletop", 0.8), ("faces", 0.2)))
CAPTIONED = Scenes((("one", 0.4), ("two", 0.15), ("tabletop", 0.35), ("faces", 0.1)))
JUDGED = Scenes((("tabletop", 0.4), ("objects", 0.25), ("figures", 0.15), ("faces", 0.2)))
FACES = Scenes((("faces", 1.0),))
CLASSED = Scenes((("one", 0.6), ("two", 0.3), ("objects", 0.1)))
EMPTIED = Scenes((("one", 0.2), ("two", 0.3), ("tabletop", 0.4), ("faces", 0.1)))
GENERATED = Scenes((("one", 0.5), ("two", 0.2), ("objects", 0.1), ("tabletop", 0.15), ("faces", 0.05)))


def family(work: Path) -> dict[str, Part]:
    """The parts by name, each after those it needs; `work` is where they keep what they make for themselves."""
    latents = work / "latents"
    parts: list[Part] = [
        Autoencoder(PICTURES, Recipe(steps=6_000, batch=16, learning_rate=1e-3)),
        TextEncoder(CAPTIONED, Recipe(1_000, 96, 1e-3, warm_up=100, muon=0.02)),
        Judges(JUDGED, Recipe(6_000, 32, 1e-3, muon=0.02)),
        ImageEncoder(CAPTIONED, Recipe(1_200, 96, 1e-3, weight_decay=0.05, muon=0.02)),
        Denoiser(GENERATED, Recipe(7_000, 64, 1e-3, warm_up=300, muon=0.02), latents, count=40_000),
        LatentJudges(JUDGED, Recipe(2_000, 32, 1e-3, muon=0.02)),
        IdentityJudge(FACES, Recipe(1_200, 48, 1e-3, weight_decay=0.05, muon=0.02)),
        Inpainter(EMPTIED, Recipe(6_000, 64, 1e-3, muon=0.02), latents, count=40_000),
        ClassDenoiser(CLASSED, Recipe(5_000, 64, 1e-3, warm_up=300, muon=0.02), latents, count=30_000),
        BoxDenoiser(GENERATED, Recipe(2_500, 64, 1e-3, warm_up=300, muon=0.02), latents, count=30_000),
        Reference(GENERATED, Recipe(1_000, 64, 1e-3, muon=0.02), latents, count=20_000),
        FaceDenoiser(FACES, Recipe(2_500, 32, 1e-3, warm_up=300, muon=0.02)),
    ]
    return {part.name: part for part in parts}
