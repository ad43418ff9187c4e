"""Compose and Conquer: foreground and background apart, by fusers on a U-Net's encoder and attention (CnC, Sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sluice.inference.controlled import Ground
from sluice.training.networks.unet import Encoded, encode


def compose_and_conquer(unet: Any, fusers: Any, told: Tensor, conditions: Mapping[str, Tensor]) -> Ground:
    """A ground by fusers, `conditions` being what they were trained on: mask, images, embeddings, `(batch, ...)`.

    Where `told` are the text states of both halves, the null condition keeps all else, as the released code does. The
    U-Net has soft guidance in its attention. What the local fuser says is added to the features, `e_j + e'_j`.
    """
    halves = len(told) // len(conditions["mask"])
    said = {name: torch.cat([value] * halves) for name, value in conditions.items()}
    mask = said.pop("mask")

    def ground(x: Tensor, t: float) -> Encoded:
        steps = torch.full((len(x),), t, device=x.device)
        known, attention, features = fusers(x, steps, told, mask, said)
        encoded = encode(unet, x, t, known, attention=attention)
        if features is None:
            return encoded
        return encoded.with_features(tuple(e + own for e, own in zip(encoded.features, features, strict=True)))

    return ground
