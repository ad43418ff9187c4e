"""What the denoisers of latents share: scenes seen through frozen parts, once, and batches of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from sluice.preprocess.tabletop import VERSION
from sluice.training.tabletop.frozen import Frozen
from sluice.training.tabletop.latents import Encode, Latents
from sluice.training.tabletop.recipe import Batch, Part, Report
from sluice.training.tabletop.scenes import Scenes
from sluice.training.tabletop.seen import SEEN

SHARE = 32


@dataclass
class LatentPart(Part):
    """Batches of the first `count` scenes as `seen` shows them; what is made of them is kept in `cache`.

    `null` are the text states of the null condition, `(1, tokens, width)`; both they and `latents` are there once it
    is prepared.
    """

    cache: Path
    count: int
    null: Tensor = field(init=False)
    latents: Latents = field(init=False)
    needs: ClassVar[tuple[str, ...]] = ("vae", "text_encoder")
    share: ClassVar[int | None] = SHARE
    sees_pictures: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def seen(frozen: Frozen, scenes: Scenes) -> Encode:
        """What is shown of scenes: one of `seen`'s functions."""

    def shorten(self, steps: int) -> None:
        """Of no more scenes than these steps could see."""
        super().shorten(steps)
        self.count = min(self.count, steps * self.recipe.batch)

    def prepare(self, models: Path, device: torch.device, report: Report) -> None:
        """Encode the scenes, and take away what other weights had made of them."""
        frozen = Frozen.load(models, self.sees_pictures).to(device)
        self.null = frozen.states([""]).cpu()
        made_of = (frozen.digest, self.scenes, VERSION, SEEN)
        self.latents = Latents.of(self.cache, self.seen.__name__, made_of, self.count)
        self.latents.make(self.seen(frozen, self.scenes), report)

    def batch(self, step: int) -> Batch:
        """Scenes drawn for a step."""
        return self.latents.of_step(step, self.recipe.batch, self.scenes.seed)
