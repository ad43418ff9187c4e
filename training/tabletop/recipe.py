"""What a part of the family is to its training: networks, batches, losses, and the folder it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from sluice.training.tabletop.draws import Draws

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a part trains.

    The learning rate rises over `warm_up` steps and falls as a half cosine to a twentieth; `ema` is the decay of the
    running average of weights, which is what is kept, `clip` the largest norm of a gradient.
    """

    steps: int
    batch: int
    learning_rate: float
    warm_up: int = 200
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0


class Part(Protocol):
    """One network of the family (or two that are trained on each other). `needs` names the parts that come before."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    recipe: Recipe

    def prepare(self, models: Path, report: Callable[[str], None]) -> None:
        """Make what the batches are drawn from, with the parts in `models`; what is made already stays."""

    def network(self, models: Path) -> nn.Module:
        """What is trained, freshly initialised."""

    def batch(self, step: int) -> Batch:
        """The batch of a step, a function of it alone; runs in a thread beside the training."""

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """`loss`, which is minimised, and what else is worth a line in the log."""

    def save(self, network: Any, models: Path) -> None:
        """Write the trained network into folders of `models`, as diffusers and transformers read them, in fp16."""
