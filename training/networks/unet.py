"""A U-Net in two halves: encode once, decode as often as wanted, with something added between them.

The halves call diffusers' own blocks, so that together they are its U-Net to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Encoded:
    """What the encoder hands to the decoder.

    `features` are the skips `(batch, channels, height, width)`, finest first, and last the middle; the rest is what the
    decoder's blocks take beside them.
    """

    features: tuple[Tensor, ...]
    time: Tensor
    states: Tensor
    attention: Mapping[str, Any] | None = field(default=None, repr=False)

    def with_features(self, features: tuple[Tensor, ...]) -> Encoded:
        """The same with other features. Raises ValueError where their number or shapes are others."""
        wanted, given = ([tuple(feature.shape) for feature in some] for some in (self.features, features))
        if wanted != given:
            raise ValueError(f"a decoder that takes features of shapes {wanted} was given {given}")
        return replace(self, features=features)


def encode(
    unet: Any,
    x: Tensor,
    t: Tensor | float,
    states: Tensor,
    added: Mapping[str, Any] | None = None,
    attention: Mapping[str, Any] | None = None,
) -> Encoded:
    """The encoder and the middle of a `UNet2DConditionModel`, of latents `(batch, channels, height, width)`.

    `states` are the text's `(batch, tokens, width)`, `t` timesteps `(batch,)` or one for all; `added` and `attention`
    are what diffusers calls `added_cond_kwargs` and `cross_attention_kwargs`, boxes (GLIGEN) among them.
    """
    x = 2 * x - 1.0 if unet.config.center_input_sample else x
    time = unet.time_embedding(unet.get_time_embed(sample=x, timestep=t))
    more = unet.get_aug_embed(emb=time, encoder_hidden_states=states, added_cond_kwargs=added)
    time = time if more is None else time + more
    time = time if unet.time_embed_act is None else unet.time_embed_act(time)
    states = unet.process_encoder_hidden_states(encoder_hidden_states=states, added_cond_kwargs=added)
    attention = _with_boxes(unet, attention)

    x = unet.conv_in(x)
    skips: tuple[Tensor, ...] = (x,)
    for block in unet.down_blocks:
        x, own = block(x, time, **_crossed(block, states, attention))
        skips += own
    x = unet.mid_block(x, time, **_crossed(unet.mid_block, states, attention))
    return Encoded((*skips, x), time, states, attention)


def decode(unet: Any, encoded: Encoded) -> Tensor:
    """The rest of the U-Net: its prediction, `(batch, channels, height, width)`."""
    *skips, x = encoded.features
    odd = any(side % 2**unet.num_upsamplers for side in skips[0].shape[2:])
    for block in unet.up_blocks:
        own = tuple(skips[-len(block.resnets) :])
        del skips[-len(block.resnets) :]
        size = skips[-1].shape[2:] if odd and skips else None
        crossed = _crossed(block, encoded.states, encoded.attention)
        x = block(hidden_states=x, temb=encoded.time, res_hidden_states_tuple=own, upsample_size=size, **crossed)
    if unet.conv_norm_out is not None:
        x = unet.conv_act(unet.conv_norm_out(x))
    prediction: Tensor = unet.conv_out(x)
    return prediction


def _crossed(block: Any, states: Tensor, attention: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a block takes for its cross-attention, nothing where it has none."""
    if not getattr(block, "has_cross_attention", False):
        return {}
    return {"encoder_hidden_states": states, "cross_attention_kwargs": None if attention is None else dict(attention)}


def _with_boxes(unet: Any, attention: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """GLIGEN's boxes as the objects that its attention takes."""
    if attention is None or attention.get("gligen") is None:
        return attention
    return {**attention, "gligen": {"objs": unet.position_net(**attention["gligen"])}}
