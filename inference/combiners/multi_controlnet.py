"""Multi ControlNet: features added, as diffusers' own pipelines add them, and the paper's baselines made of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.inference.controlled import Controlled, Ground, features_at
from sluice.training.balance import combined
from sluice.training.networks.minimal_impact import Rule
from sluice.training.networks.unet import Encoded


@dataclass(frozen=True)
class Baseline:
    """What MIControlNet is compared with: two controls added, `balanced` by its rule or summed with `strengths`.

    `rebalanced`: by ControlNets that are plain but trained on rebalanced data.
    """

    balanced: bool = False
    rebalanced: bool = False
    strengths: tuple[float, float] = (1.0, 1.0)


FIRST_LESS, FIRST_MORE = (0.5, 1.5), (1.5, 0.5)
BASELINES = {
    "ControlNet": Baseline(),
    "ControlNet*": Baseline(balanced=True),
    "ControlNet**": Baseline(rebalanced=True),
    "ControlNet***": Baseline(balanced=True, rebalanced=True),
    "ControlNet^0.5": Baseline(strengths=FIRST_LESS),
    "ControlNet^1.5": Baseline(strengths=FIRST_MORE),
    "ControlNet**^0.5": Baseline(rebalanced=True, strengths=FIRST_LESS),
    "ControlNet**^1.5": Baseline(rebalanced=True, strengths=FIRST_MORE),
}
"""By the paper's names (MIControlNet, Tables 2 to 4)."""


def multi_controlnet(ground: Ground, told: Tensor, controls: Sequence[Controlled], rule: Rule | None = None) -> Ground:
    """A ground with controls added, each times its strength: their sum, or by a rule their balanced combination."""
    strengths = told.new_tensor([own.strength for own in controls])

    def controlled(x: Tensor, t: float) -> Encoded:
        encoded, layers = ground(x, t), zip(*features_at(controls, x, t, told), strict=True)
        both = zip(encoded.features, layers, strict=True)
        return encoded.with_features(tuple(e + combined(own, _weights(own, rule) * strengths) for e, own in both))

    return controlled


@torch.no_grad()
def _weights(features: Sequence[Tensor], rule: Rule | None) -> Tensor:
    """`(batch, n)`; of one control, or where they are summed, ones."""
    if rule is None or len(features) == 1:
        return features[0].new_ones(len(features[0]), len(features))
    return rule(features)
