"""Minimal-impact ControlNet: controls combined so that they agree, and injected with minimal impact (MIControlNet)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sluice.inference.controlled import Controlled, Ground, features_at
from sluice.training.balance import MAX_GAIN, unit_min_norm
from sluice.training.networks.minimal_impact import Rule, balance, injected
from sluice.training.networks.unet import Encoded


def minimal_impact(
    ground: Ground,
    told: Tensor,
    controls: Sequence[Controlled],
    rule: Rule = unit_min_norm,
    most: float = MAX_GAIN,
) -> Ground:
    """A ground with controls in it, combined by a rule, with gains up to `most` (MIControlNet, Eqs. 10 and 12).

    `told` are the ground's own text states, which is all of the text that the control networks see.
    """
    strengths = [own.strength for own in controls]

    def controlled(x: Tensor, t: float) -> Encoded:
        encoded, features = ground(x, t), features_at(controls, x, t, told)
        return injected(encoded, features, balance(encoded, features, rule, most), strengths)

    return controlled
