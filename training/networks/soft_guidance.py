"""Soft guidance: foreground tokens are seen inside a mask alone, background tokens outside alone (CnC, Sec. 3.3).

Tokens stand in this order: the text's, the foreground's, as many of the background's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Kind = Literal["exclude", "hadamard", "none"]


@dataclass(frozen=True)
class Regions:
    """The foreground at every resolution of attention: `inside[n]` is bool `(batch, n)`, for n = height x width there.

    `tokens` is how many each of the two streams has.
    """

    inside: Mapping[int, Tensor]
    tokens: int

    @classmethod
    def of(cls, mask: Tensor, latent: tuple[int, int], tokens: int) -> Regions:
        """Of a mask `(batch, 1, height, width)` of any size, values 0 to 1; half covered counts as inside.

        For latents of this height and width and all their halves, as a U-Net makes them.
        """
        inside, size = {}, latent
        while size[0] * size[1] not in inside:
            shares = F.interpolate(mask.float(), size=size, mode="area")
            inside[size[0] * size[1]] = shares.flatten(1) >= 0.5
            size = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        return cls(inside, tokens)

    def seen(self, positions: int, keys: int) -> Tensor:
        """Which tokens a position sees, bool `(batch, 1, positions, keys)`. Raises ValueError for unknown positions."""
        if positions not in self.inside:
            raise ValueError(f"the mask was made for {list(self.inside)} positions, and attention has {positions}")
        inside = self.inside[positions][:, None, :, None]
        text = inside.new_ones(()).expand(*inside.shape[:3], keys - 2 * self.tokens)
        own = (1, 1, 1, self.tokens)
        return torch.cat([text, inside.tile(own), (~inside).tile(own)], dim=3)


class SoftGuidance:
    """An attention processor of diffusers: cross-attention by `regions` where it is given them, plain where not.

    `exclude` hides a token as if it were not there: what the released weights were trained with, one call of fused
    attention. `hadamard` multiplies its logit by 0, as the paper writes, so that it keeps the weight of exp(0): one
    call of a few tokens more. `none` is what the others are compared with: every token is seen everywhere.
    """

    def __init__(self, kind: Kind = "exclude") -> None:
        self.kind = kind

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,  # noqa: ARG002 - diffusers passes it; the text's padding is not masked
        temb: Tensor | None = None,  # noqa: ARG002
        regions: Regions | None = None,
    ) -> Tensor:
        tokens = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            projected.unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for projected in (attn.to_q(hidden_states), attn.to_k(tokens), attn.to_v(tokens))
        )
        if regions is None or encoder_hidden_states is None or self.kind == "none":
            found = F.scaled_dot_product_attention(query, key, value)
        else:
            seen = regions.seen(query.shape[2], key.shape[2])
            found = (exclude if self.kind == "exclude" else hadamard)(query, key, value, seen, regions.tokens)
        made: Tensor = attn.to_out[1](attn.to_out[0](found.transpose(1, 2).flatten(2)))
        return made


def exclude(query: Tensor, key: Tensor, value: Tensor, seen: Tensor, tokens: int) -> Tensor:  # noqa: ARG001
    """Attention of `(batch, heads, positions or tokens, width)` to the tokens that are seen alone."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen)


def hadamard(query: Tensor, key: Tensor, value: Tensor, seen: Tensor, tokens: int) -> Tensor:
    """Attention whose logits are multiplied by 1 where a token is seen and by 0 where not, without a matrix of them.

    Where a token is not seen, one of the same value and a key of zeros is in its place, whose logit is 0.
    """
    own = slice(-2 * tokens, None)
    keys = torch.cat([key, torch.zeros_like(key[:, :, own])], dim=2)
    values = torch.cat([value, value[:, :, own]], dim=2)
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=torch.cat([seen, ~seen[..., own]], dim=3))
