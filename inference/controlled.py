"""What controls act on: a U-Net's encoder with its conditions bound, and ControlNets with their images.

Both halves of guidance see the controls and differ in their text alone, as in diffusers' pipelines; of models that are
united the null prediction sees none, since Unite takes it away (Unite and Conquer, Eq. 10). Each sample of each half is
balanced by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sluice.inference.denoisers import Bound, doubled, noise_in
from sluice.training.networks.minimal_impact import Features, features_of
from sluice.training.networks.unet import Encoded, decode, encode

Ground = Callable[[Tensor, float], Encoded]
"""Of `x` and a timestep what the U-Net's decoder is handed; controls make of one ground another.

`x` are both halves of guidance, or one, as the text states are that the ground was made with."""


@dataclass(frozen=True)
class Controlled:
    """A ControlNet, its image `(batch, channels, height, width)` with values 0 to 1, and how strongly it speaks."""

    network: Any
    image: Tensor
    strength: float = 1.0


def encoder(unet: Any, told: Tensor) -> Ground:
    """A U-Net's encoder under text states, `(2 batch, tokens, width)` where they are those of both halves."""
    return lambda x, t: encode(unet, x, t, told)


def decoded(unet: Any, ground: Ground) -> Bound:
    """A model of a ground, by the decoder of the same U-Net."""
    return doubled(lambda x, t: noise_in(decode(unet, ground(x, t)), x))


def apart_from_null(unet: Any, ground: Ground, null: Tensor) -> Bound:
    """A model of a ground that was told its own states alone, and as null prediction the U-Net's bare one."""

    def model(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        untold = unet(x, t, null.expand(len(x), -1, -1)).sample
        return noise_in(untold, x), noise_in(decode(unet, ground(x, t)), x)

    return model


def features_at(controls: Sequence[Controlled], x: Tensor, t: float, told: Tensor) -> list[Features]:
    """What each control says under text states, its image being the same for all halves of a batch."""
    return [
        features_of(own.network, x, t, told, own.image.repeat(len(x) // len(own.image), 1, 1, 1)) for own in controls
    ]
