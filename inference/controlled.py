"""What controls act on: a U-Net's encoder with its conditions bound, and ControlNets with their images.

Both halves of guidance see the controls and differ in their text alone, as in diffusers' pipelines; of models that are
united the null half sees none, since Unite takes it away (Unite and Conquer, Eq. 10). Each sample of each half is
balanced by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.inference.denoisers import Bound, doubled, noise_in
from sluice.training.networks.minimal_impact import Features, features_of
from sluice.training.networks.unet import Encoded, decode, encode

Ground = Callable[[Tensor, float], Encoded]
"""Of a doubled batch `x` and a timestep, what the U-Net's decoder is handed; controls make of one ground another."""


@dataclass(frozen=True)
class Controlled:
    """A ControlNet, its image `(batch, channels, height, width)` with values 0 to 1, and how strongly it speaks."""

    network: Any
    image: Tensor
    strength: float = 1.0


def encoder(unet: Any, told: Tensor) -> Ground:
    """A U-Net's encoder under the text states of both halves, `(2 batch, tokens, width)`."""
    return lambda x, t: encode(unet, x, t, told)


def decoded(unet: Any, ground: Ground) -> Bound:
    """A model of a ground, by the decoder of the same U-Net."""
    return doubled(lambda x, t: noise_in(decode(unet, ground(x, t)), x))


def apart_from_null(combine: Callable[[Ground], Ground], below: Ground) -> Ground:
    """A ground that `combine` makes of one below, but that the null half is handed on as it came from there."""
    seen: list[Encoded] = []

    def kept(x: Tensor, t: float) -> Encoded:
        seen[:] = [below(x, t)]
        return seen[0]

    controlled = combine(kept)

    def halved(x: Tensor, t: float) -> Encoded:
        after, null = controlled(x, t), len(x) // 2
        before = seen.pop()
        both = zip(before.features, after.features, strict=True)
        return after.with_features(tuple(torch.cat([plain[:null], own[null:]]) for plain, own in both))

    return halved


def features_at(controls: Sequence[Controlled], x: Tensor, t: float, told: Tensor) -> list[Features]:
    """What each control says of a doubled batch under its text states."""
    return [features_of(own.network, x, t, told, own.image.repeat(2, 1, 1, 1)) for own in controls]
