"""The two halves are diffusers' U-Net, to the bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor

from sluice.training.networks.unet import decode, encode

PLAIN = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 2,
    "cross_attention_dim": 6,
    "attention_head_dim": 4,
    "norm_num_groups": 4,
}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {
        "block_out_channels": (8, 8, 16, 16),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    },
    "inpainting": {"in_channels": 9},
    "centred": {"center_input_sample": True, "time_embedding_act_fn": "silu"},
    "gated": {"attention_type": "gated"},
}


def unet_of(kind: str) -> Any:
    torch.manual_seed(0)
    return UNet2DConditionModel(**PLAIN | KINDS[kind]).eval()


def latents(unet: Any, height: int = 8, width: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, unet.config.in_channels, height, width, generator=generator)
    return x, torch.tensor([0, 500, 999]), torch.randn(3, 5, 6, generator=generator)


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 8), (16, 8), (7, 9)])
@pytest.mark.parametrize("kind", KINDS)
def test_together_they_are_the_whole(kind: str, size: tuple[int, int]) -> None:
    unet = unet_of(kind)
    x, t, states = latents(unet, *size)
    attention = {"gligen": boxes()} if kind == "gated" else None
    whole = unet(x, t, states, cross_attention_kwargs=None if attention is None else dict(attention)).sample
    assert torch.equal(decode(unet, encode(unet, x, t, states, attention=attention)), whole)


def boxes() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        "boxes": torch.rand(3, 4, 4, generator=generator),
        "positive_embeddings": torch.randn(3, 4, 6, generator=generator),
        "masks": torch.ones(3, 4),
    }


@torch.no_grad()
def test_what_is_added_between_them_is_what_a_controlnet_adds() -> None:
    unet = unet_of("plain")
    x, t, states = latents(unet)
    generator = torch.Generator().manual_seed(3)
    encoded = encode(unet, x, t, states)
    more = tuple(torch.randn(f.shape, generator=generator) for f in encoded.features)
    whole = unet(x, t, states, down_block_additional_residuals=more[:-1], mid_block_additional_residual=more[-1]).sample
    added = encoded.with_features(tuple(f + m for f, m in zip(encoded.features, more, strict=True)))
    assert torch.equal(decode(unet, added), whole)


@torch.no_grad()
def test_what_is_encoded_once_is_decoded_as_often_as_wanted() -> None:
    unet = unet_of("plain")
    encoded = encode(unet, *latents(unet))
    assert torch.equal(decode(unet, encoded), decode(unet, encoded))


def test_the_features_of_another_network_are_refused() -> None:
    unet, other = unet_of("plain"), unet_of("deep")
    encoded = encode(unet, *latents(unet))
    with pytest.raises(ValueError, match="was given"):
        encoded.with_features(encode(other, *latents(other)).features)


def test_a_controlnet_has_a_feature_for_each_of_the_encoders() -> None:
    unet = unet_of("plain")
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))
    x, t, states = latents(unet)
    skips, middle = controlnet(x, t, states, torch.rand(3, 3, 16, 16), return_dict=False)
    assert [f.shape for f in (*skips, middle)] == [f.shape for f in encode(unet, x, t, states).features]
