"""MIControlNet: plain diffusers ControlNets whose features enter a U-Net with minimal impact.

A control's *features* are what its network gives for each skip, finest first, and for the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.training.balance import MAX_GAIN, combined, inject, injection_gain, unit_min_norm
from sluice.training.networks.unet import Encoded

Features = tuple[Tensor, ...]
Rule = Callable[[Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Balance:
    """The weights of controls `(batch, n)` and the gain of their sum `(batch,)`, at each layer.

    They are held: nothing is differentiated through them, and every difference quotient keeps them (Proposition 4.1).
    """

    weights: tuple[Tensor, ...]
    gains: tuple[Tensor, ...]


def features_of(controlnet: Any, x: Tensor, t: Tensor | float, states: Tensor, control: Tensor) -> Features:
    """A ControlNet's features of latents `(batch, 4, height, width)` and a control image, values 0 to 1."""
    skips, middle = controlnet(x, t, encoder_hidden_states=states, controlnet_cond=control, return_dict=False)
    return (*skips, middle)


@torch.no_grad()
def balance(
    encoded: Encoded, controls: Sequence[Features], rule: Rule = unit_min_norm, most: float = MAX_GAIN
) -> Balance:
    """The weights of one control or several at every layer of a U-Net, and gains up to `most` (Eqs. 10 and 12).

    Raises ValueError where a control has features of another U-Net.
    """
    weights, gains = [], []
    for control in controls:
        encoded.with_features(control)
    for feature, own in zip(encoded.features, zip(*controls, strict=True), strict=True):
        weights.append(rule(own) if len(own) > 1 else feature.new_ones(len(feature), 1))
        gains.append(injection_gain(feature, combined(own, weights[-1]), most))
    return Balance(tuple(weights), tuple(gains))


def injected(
    encoded: Encoded, controls: Sequence[Features], balance: Balance, strengths: Sequence[float] | None = None
) -> Encoded:
    """A U-Net's features with controls in them, each times its strength, 1 unless given."""
    by_layer = zip(encoded.features, zip(*controls, strict=True), balance.weights, balance.gains, strict=True)
    return encoded.with_features(
        tuple(
            inject(feature, combined(own, weights * weights.new_tensor(strengths or [1.0] * len(own))), gain)
            for feature, own, weights, gain in by_layer
        )
    )
