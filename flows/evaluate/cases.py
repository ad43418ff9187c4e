"""Held-out scenes as cases of a protocol: a prompt, images for jobs, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sluice.flows.compose.images import pixels_of
from sluice.flows.compose.nodes import image_of
from sluice.preprocess.tabletop import LAWS, Rendered, Scene, caption, draw_scene, render
from sluice.training.draws import Draws
from sluice.training.tabletop.scenes import HELD_OUT

SIZE = 64


@dataclass(frozen=True)
class Case:
    """A scene by its number and law, of the seed that nothing was trained on."""

    number: int
    law: str

    @property
    def scene(self) -> Scene:
        return draw_scene(HELD_OUT, self.number, LAWS[self.law])

    @property
    def prompt(self) -> str:
        return caption(self.scene)

    @property
    def truth(self) -> Rendered:
        return render(self.scene, SIZE)

    def image(self, field: str) -> dict[str, Any]:
        """A field of it, as jobs name it."""
        return {"drawn": {"scene": self.number, "law": self.law, "seed": HELD_OUT, "field": field}}


def cases(law: str, count: int) -> list[Case]:
    """The first of a law."""
    return [Case(number, law) for number in range(count)]


def shown(some: list[Case], field: str) -> Tensor:
    """A field of cases, `(batch, 3, height, width)`, values 0 to 1."""
    levels = [pixels_of(image_of(case.image(field)), Path(), SIZE) for case in some]
    return torch.from_numpy(np.stack(levels)).permute(0, 3, 1, 2)


def draws_of(some: list[Case], seed: int) -> Draws:
    """Of each case its own, whatever others there are."""
    return Draws(seed, [case.number for case in some], [case.law for case in some])
