"""Denoisers under control images: ControlNets added or of minimal impact, and Compose and Conquer's fusers.

Both halves of guidance see the controls and differ in their text alone; each sample of each half is balanced by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.inference.denoisers import Denoiser, guidance
from sluice.training.balance import min_norm
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.minimal_impact import Features, Rule, balance, features_of, injected
from sluice.training.networks.unet import Encoded, decode, encode


@dataclass(frozen=True)
class Controlled:
    """A ControlNet, its image `(batch, channels, height, width)` with values 0 to 1, and how strongly it speaks."""

    network: Any
    image: Tensor
    strength: float = 1.0


def minimal_impact(
    model: LatentModel,
    states: Tensor,
    null: Tensor,
    controls: Sequence[Controlled],
    scale: float,
    rule: Rule = min_norm,
) -> Denoiser:
    """Controls combined by a rule and injected with minimal impact (MIControlNet, Eqs. 10 and 12)."""

    def control(encoded: Encoded, features: Sequence[Features]) -> Encoded:
        strengths = [own.strength for own in controls]
        return injected(encoded, features, balance(encoded, features, rule), strengths)

    return _controlled(model, states, null, controls, scale, control)


def added(model: LatentModel, states: Tensor, null: Tensor, controls: Sequence[Controlled], scale: float) -> Denoiser:
    """Controls added, each times its strength: plain ControlNets, as diffusers' own pipelines run them."""

    def control(encoded: Encoded, features: Sequence[Features]) -> Encoded:
        by_layer = zip(encoded.features, zip(*features, strict=True), strict=True)
        strengths = [own.strength for own in controls]
        return encoded.with_features(
            tuple(e + sum(s * c for s, c in zip(strengths, own, strict=True)) for e, own in by_layer)
        )

    return _controlled(model, states, null, controls, scale, control)


def _controlled(
    model: LatentModel, states: Tensor, null: Tensor, controls: Sequence[Controlled], scale: float, control: Any
) -> Denoiser:
    told = torch.cat([null.expand_as(states), states])
    images = [torch.cat([own.image, own.image]) for own in controls]

    def predict(x: Tensor, t: float) -> Tensor:
        encoded = encode(model.unet, x, t, told)
        features = [features_of(own.network, x, t, told, image) for own, image in zip(controls, images, strict=True)]
        return decode(model.unet, control(encoded, features))

    return guidance(predict, scale)


def composed(
    model: LatentModel, fusers: Any, states: Tensor, null: Tensor, conditions: Mapping[str, Tensor], scale: float
) -> Denoiser:
    """By Compose and Conquer's fusers, `conditions` being what they were trained on: mask, images, embeddings.

    The null condition keeps all of these and changes only the text, as the released code does.
    """
    told = torch.cat([null.expand_as(states), states])
    both = {name: torch.cat([value, value]) for name, value in conditions.items()}
    mask = both.pop("mask")

    def predict(x: Tensor, t: float) -> Tensor:
        steps = torch.full((len(x),), t, device=x.device)
        known, attention, features = fusers(x, steps, told, mask, both)
        encoded = encode(model.unet, x, t, known, attention=attention)
        if features is not None:
            encoded = encoded.with_features(tuple(e + c for e, c in zip(encoded.features, features, strict=True)))
        return decode(model.unet, encoded)

    return guidance(predict, scale)
