"""CnC's global fuser: image embeddings of foreground and background to tokens beside the text's (CnC, Sec. 3.3)."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention import FeedForward
from torch import Tensor, nn

DROPOUTS = (0.1, 0.3)


class GlobalFuser(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Two streams that do not mix; each widens an embedding in two steps and cuts it into tokens of its width.

    `width`: of embeddings and tokens, 768 for CLIP ViT-L/14 and Stable Diffusion 1.5; `tokens`: of each stream;
    `expansion`: how much wider the feed-forward layers are inside than what they take.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, width: int = 768, tokens: int = 4, expansion: int = 4) -> None:
        super().__init__()
        self.foreground, self.background = (_stream(width, tokens, expansion) for _ in range(2))

    def forward(
        self, foreground: Tensor, background: Tensor, foreground_weight: float = 1.0, background_weight: float = 1.0
    ) -> Tensor:
        """Tokens `(batch, 2 tokens, width)`, the foreground's first, of two embeddings `(batch, width)`.

        The weights are the paper's lambdas, 1 in training.
        """
        streams = (
            (self.foreground, foreground, foreground_weight),
            (self.background, background, background_weight),
        )
        size = (self.config.tokens, self.config.width)
        return torch.cat(
            [weight * stream(embedding).unflatten(1, size) for stream, embedding, weight in streams], dim=1
        )


def with_tokens(states: Tensor, tokens: Tensor) -> Tensor:
    """Text states `(batch, tokens, width)` and then these. Raises ValueError where widths differ."""
    if states.shape[2] != tokens.shape[2]:
        raise ValueError(
            f"the text's tokens are {states.shape[2]} wide and the global fuser's {tokens.shape[2]}: it was made for "
            "another text encoder"
        )
    return torch.cat([states, tokens], dim=1)


def _stream(width: int, tokens: int, expansion: int) -> nn.Module:
    widths = (width, 2 * width, tokens * width)
    steps: list[Any] = []
    for before, after, dropout in zip(widths, widths[1:], DROPOUTS, strict=False):
        wide = FeedForward(before, after, mult=expansion, dropout=dropout, activation_fn="geglu")
        steps += [nn.LayerNorm(before), wide]
    return nn.Sequential(*steps)
