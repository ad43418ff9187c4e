"""Compose and Conquer's fusers as one network (CnC, Sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from sluice.training.networks.global_fuser import GlobalFuser, with_tokens
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.networks.soft_guidance import Regions

STREAMS = ("fg", "bg")


class Fusers(nn.Module):
    """The local fuser, the global one, or both, called at once: DeepSpeed trains what is called as one network.

    `weights` are the paper's lambdas, of the foreground's tokens and the background's; 1 in training.
    """

    def __init__(
        self, local: LocalFuser | None, wide: GlobalFuser | None, weights: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        super().__init__()
        self.local, self.wide, self.weights = local, wide, weights

    def forward(
        self, x: Tensor, t: Tensor, states: Tensor, mask: Tensor, conditions: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Any] | None, tuple[Tensor, ...] | None]:
        """Text states with the global fuser's tokens, what attention takes then, and the local fuser's features."""
        attention: dict[str, Any] | None = None
        if self.wide is not None:
            tokens = self.wide(*(conditions[f"{stream} embedding"] for stream in STREAMS), *self.weights)
            states = with_tokens(states, tokens)
            attention = {"regions": Regions.of(mask, (x.shape[2], x.shape[3]), tokens.shape[1] // 2)}
        if self.local is None:
            return states, attention, None
        images = (conditions[f"{stream} image"] for stream in STREAMS)
        return states, attention, self.local(x, t, states, *images, attention=attention)
