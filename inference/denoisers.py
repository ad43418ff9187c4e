"""Denoisers: U-Nets with their conditions bound, `(x, t) -> eps`, most with classifier-free guidance.

Guidance is `eps_null + scale (eps_condition - eps_null)` (Ho and Salimans, 2022, Eq. 6); both halves run as one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, float], Tensor]
"""`x` and `eps` `(batch, channels, height, width)`, `t` a training timestep, or a time between two."""


def unconditional(unet: Any) -> Denoiser:
    """A U-Net that takes no condition."""

    def denoiser(x: Tensor, t: float) -> Tensor:
        predicted: Tensor = unet(x, t).sample
        return predicted

    return denoiser


def guided(unet: Any, states: Tensor, null: Tensor, scale: float) -> Denoiser:
    """By text states `(batch, tokens, width)`, against those of the null condition."""
    both = torch.cat([null.expand_as(states), states])
    return guidance(lambda x, t: unet(x, t, both).sample, scale)


def guided_by_class(unet: Any, classes: Tensor, null: int, scale: float) -> Denoiser:
    """By class numbers `(batch,)`; of a learned variance's channels only the noise is taken."""
    both = torch.cat([torch.full_like(classes, null), classes])
    return guidance(lambda x, t: unet(x, t, both).sample[:, : x.shape[1]], scale)


def guided_by_boxes(unet: Any, states: Tensor, boxes: Mapping[str, Tensor], scale: float) -> Denoiser:
    """By what stands where (GLIGEN), against the same text states without boxes.

    `boxes` `(batch, n, 4)` left, top, right, bottom as shares of the picture, `positive_embeddings` `(batch, n, width)`
    of what is in them, `masks` `(batch, n)` 1 where there is one.
    """
    both = {name: torch.cat([value, value]) for name, value in boxes.items()}
    both["masks"] = torch.cat([torch.zeros_like(boxes["masks"]), boxes["masks"]])
    told = torch.cat([states, states])
    # Diffusers takes the mapping apart.
    return guidance(lambda x, t: unet(x, t, told, cross_attention_kwargs={"gligen": dict(both)}).sample, scale)


def guided_by_picture(unet: Any, states: Tensor, embeds: Tensor, scale: float) -> Denoiser:
    """By image embeddings `(batch, width)` through a loaded IP-Adapter, against the same text states without."""
    pictures = {"image_embeds": [torch.cat([torch.zeros_like(embeds), embeds])[:, None]]}
    told = torch.cat([states, states])
    return guidance(lambda x, t: unet(x, t, told, added_cond_kwargs=pictures).sample, scale)


def inpainting(unet: Any, states: Tensor, hole: Tensor, masked: Tensor) -> Denoiser:
    """Into `hole` `(batch, 1, height, width)`, 1 inside, of the `masked` latent around it; no guidance."""

    def denoiser(x: Tensor, t: float) -> Tensor:
        predicted: Tensor = unet(torch.cat([x, hole, masked], dim=1), t, states).sample
        return predicted

    return denoiser


def guidance(predict: Denoiser, scale: float) -> Denoiser:
    """A denoiser of one condition from predictions of doubled batches, the null condition first."""

    def denoiser(x: Tensor, t: float) -> Tensor:
        without, with_condition = predict(torch.cat([x, x]), t).chunk(2)
        return torch.lerp(without, with_condition, scale)

    return denoiser
