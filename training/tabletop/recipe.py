"""What a part of the family is to its training: networks, batches, losses, and the folder it becomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.scenes import Scenes

Batch = Mapping[str, Tensor]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a part trains.

    The learning rate rises over `warm_up` steps and falls as a half cosine to a twentieth; `ema` is the decay of the
    running average of weights, which is what is kept, `clip` the largest norm of a gradient. With `muon`, a learning
    rate, matrices and convolutions are updated by Muon.
    """

    steps: int
    batch: int
    learning_rate: float
    warm_up: int = 200
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0
    muon: float = 0.0


@dataclass
class Part(ABC):
    """One network of the family. `needs` names the parts that come before, `beside` what it writes but its own folder.

    `share` is how many samples a thread takes at once, None where the loss is no mean over samples.
    """

    scenes: Scenes
    recipe: Recipe
    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[tuple[str, ...]] = ()
    share: ClassVar[int | None] = None

    def prepare(self, models: Path, device: torch.device, report: Report) -> None:  # noqa: B027
        """Make what the batches are drawn from, with the parts in `models`; most draw scenes as they need them."""

    @abstractmethod
    def network(self, models: Path) -> nn.Module:
        """What is trained, freshly initialised."""

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """The batch of a step, a function of it alone; runs in a thread beside the training."""

    @abstractmethod
    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """`loss`, which is minimised, and what else is worth a line in the log."""

    def shorten(self, steps: int) -> None:
        """Train for so many steps instead of the recipe's own."""
        self.recipe = replace(self.recipe, steps=steps, warm_up=min(self.recipe.warm_up, steps))

    def save(self, network: Any, models: Path) -> None:
        """Write the trained network, which becomes fp16, as diffusers and transformers read it."""
        network.half().save_pretrained(models / self.name)
