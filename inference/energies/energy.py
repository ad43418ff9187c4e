"""What an energy is, and what it says of itself: how high it gets and what it wants to see."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Wants = Literal["pixels", "latents"]


@dataclass(frozen=True)
class Energy:
    """Of a batch, a number each `(batch,)` from 0 to `highest`, lower where a condition is met; gradients flow.

    The batch is what it `wants`: pictures `(batch, 3, height, width)`, values -1 to 1, or a model's latents, which may
    be `decoded` inside.
    """

    of: Callable[[Tensor], Tensor]
    highest: float = math.inf
    wants: Wants = "pixels"
    decoded: bool = False

    def __call__(self, shown: Tensor) -> Tensor:
        return self.of(shown)

    def __str__(self) -> str:
        span = "0 or more" if math.isinf(self.highest) else f"0 to {self.highest:g}"
        return f"{span}, of {'decoded ' if self.decoded else ''}{self.wants}"
