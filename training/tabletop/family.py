"""The whole family, in the order in which it is trained, and how long each part is."""

from __future__ import annotations

from pathlib import Path

from sluice.training.tabletop.autoencoder import Autoencoder
from sluice.training.tabletop.denoiser import Denoiser
from sluice.training.tabletop.encoders import Encoders
from sluice.training.tabletop.parser import Parser
from sluice.training.tabletop.recipe import Part, Recipe
from sluice.training.tabletop.scenes import Scenes

PICTURES = Scenes((("tabletop", 0.8), ("faces", 0.2)))
CAPTIONED = Scenes((("tabletop", 0.7), ("one", 0.2), ("faces", 0.1)))
PARSED = Scenes((("tabletop", 0.6), ("one", 0.15), ("faces", 0.25)))
GENERATED = Scenes((("one", 0.35), ("two", 0.2), ("objects", 0.15), ("tabletop", 0.25), ("faces", 0.05)))


def family(work: Path) -> dict[str, Part]:
    """The parts by name, each after those it needs; `work` is where they keep what they make for themselves."""
    parts: list[Part] = [
        Autoencoder(PICTURES, Recipe(steps=10_000, batch=16, learning_rate=1e-3)),
        Encoders(CAPTIONED, Recipe(steps=4_000, batch=96, learning_rate=1e-3, weight_decay=0.05)),
        Parser(PARSED, Recipe(steps=6_000, batch=32, learning_rate=1e-3)),
        Denoiser(GENERATED, Recipe(10_000, 64, 1e-3, warm_up=500), work / "latents", count=40_000),
    ]
    return {part.name: part for part in parts}
