"""What the denoisers of latents share: scenes seen through frozen parts, once, and batches of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sluice.training.tabletop.frozen import Frozen
from sluice.training.tabletop.latents import Encode, Latents
from sluice.training.tabletop.recipe import Batch, Recipe
from sluice.training.tabletop.scenes import Scenes


@dataclass
class LatentPart(ABC):
    """Batches of the first `count` scenes as `seen` shows them; what is made of them is kept in `cache`."""

    scenes: Scenes
    recipe: Recipe
    cache: Path
    count: int

    @staticmethod
    @abstractmethod
    def seen(frozen: Frozen, scenes: Scenes) -> Encode:
        """What is shown of scenes: one of `seen`'s functions."""

    def prepare(self, models: Path, report: Callable[[str], None]) -> None:
        """Encode the scenes."""
        frozen = Frozen.load(models)
        self.null = frozen.states([""])
        self.latents = Latents.of(self.cache, (self.seen.__name__, frozen.digest, self.scenes), self.count)
        self.latents.make(self.seen(frozen, self.scenes), report)

    def batch(self, step: int) -> Batch:
        """Scenes drawn for a step."""
        return self.latents.of_step(step, self.recipe.batch, self.scenes.seed)
