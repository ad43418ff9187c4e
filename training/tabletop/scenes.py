"""Scenes as a training sees them: a stream without end, from a mixture of laws, a number for each scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sluice.preprocess.tabletop.draw import draw_scene
from sluice.preprocess.tabletop.law import LAWS
from sluice.preprocess.tabletop.render import Rendered, render
from sluice.preprocess.tabletop.scene import Scene

TRAINING, HELD_OUT = 1, 2
"""Seeds of renderer scenes: what is trained on and what is judged on never meet."""


@dataclass(frozen=True)
class Scenes:
    """Scenes of `seed`, each drawn from one of `laws`, by their shares; `size` is the pictures' side in pixels."""

    laws: tuple[tuple[str, float], ...] = (("tabletop", 1.0),)
    seed: int = TRAINING
    size: int = 64

    def scene(self, number: int) -> Scene:
        """The scene of this number."""
        # The last word keeps it apart from the scene's own draws: trailing zeros are no part of a seed.
        draw = np.random.default_rng([self.seed, number, 0, 1]).random()
        law = next(name for name, below in self._thresholds() if draw < below)
        return draw_scene(self.seed, number, LAWS[law])

    def render(self, number: int) -> Rendered:
        """Its picture and truths."""
        return render(self.scene(number), self.size)

    def of_step(self, step: int, batch: int) -> range:
        """The numbers of a step's scenes: no scene is seen twice."""
        return range(step * batch, (step + 1) * batch)

    def _thresholds(self) -> list[tuple[str, float]]:
        shares = np.cumsum([share for _, share in self.laws])
        return [(name, float(s / shares[-1])) for (name, _), s in zip(self.laws, shares, strict=True)]


def pixels(pictures: Sequence[Rendered]) -> Tensor:
    """Pictures as `(batch, 3, height, width)`, values -1 to 1."""
    stacked = np.stack([picture.image for picture in pictures]).transpose(0, 3, 1, 2)
    return torch.from_numpy(stacked.astype(np.float32) / 127.5 - 1)
