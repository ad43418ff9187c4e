"""Watching controls: at each layer of a U-Net, how much of what is handed to its decoder was added by whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sluice.inference.controlled import Controlled, Ground
from sluice.inference.watching import Watch, share
from sluice.training.networks.minimal_impact import Balance, Features, Rule
from sluice.training.networks.unet import Encoded

Balanced = Callable[[Encoded, Sequence[Features]], Balance]
"""How controls are weighed at each layer, as the ground does it that is watched."""
ALL, FUSER = "all controls", "local fuser"


def watched_controls(
    combine: Callable[[Ground, Sequence[Controlled]], Ground],
    below: Ground,
    controls: Sequence[Controlled],
    names: Sequence[str],
    balanced: Balanced,
    watch: Watch | None,
) -> Ground:
    """A ground that `combine` makes of one below and of controls, with what each of them adds to it."""
    plain = combine(below, controls)
    if watch is None:
        return plain

    def watched(x: Tensor, t: float) -> Encoded:
        if not watch.wants("share", ALL):
            return plain(x, t)
        before: list[Encoded] = []
        said: list[Features] = []
        listening = [replace(own, network=_overheard(own.network, said)) for own in controls]
        after = combine(_kept(below, before), listening)(x, t)
        told = _told(watch, len(x), len(controls[0].image))
        _note_sum(watch, told(before[0].features), told(after.features))
        _note_each(watch, replace(before[0], features=told(before[0].features)), [told(own) for own in said], names,
                   [own.strength for own in controls], balanced)  # fmt: skip
        return after

    return watched


def watched_fusers(fuse: Callable[[Any], Ground], fusers: Any, batch: int, watch: Watch | None) -> Ground:
    """A ground that `fuse` makes of fusers, with what the local one adds to it; exemplars act in attention, unseen."""
    plain = fuse(fusers)
    if watch is None:
        return plain

    def watched(x: Tensor, t: float) -> Encoded:
        if not watch.wants("share", FUSER):
            return plain(x, t)
        added: list[Features] = []

        def overheard(*given: Any) -> Any:
            known, attention, features = fusers(*given)
            added.extend([] if features is None else [features])
            return known, attention, features

        after = fuse(overheard)(x, t)
        told = _told(watch, len(x), batch)
        for features in added:
            before = tuple(e - own for e, own in zip(told(after.features), told(features), strict=True))
            watch.note("share", FUSER, _shares(told(features), before))
        return after

    return watched


def summed(rule: Rule | None) -> Balanced:
    """How a sum, or a rule's combination, weighs controls: without a gain."""

    def balanced(encoded: Encoded, controls: Sequence[Features]) -> Balance:  # noqa: ARG001
        layers = list(zip(*controls, strict=True))
        ones = [own[0].new_ones(len(own[0]), len(own)) for own in layers]
        weights = ones if rule is None or len(controls) == 1 else [rule(own) for own in layers]
        return Balance(tuple(weights), tuple(own[:, 0] for own in ones))

    return balanced


def _overheard(network: Any, said: list[Features]) -> Callable[..., Any]:
    def overheard(*given: Any, **named: Any) -> Any:
        skips, middle = network(*given, **named)
        said.append((*skips, middle))
        return skips, middle

    return overheard


def _kept(ground: Ground, before: list[Encoded]) -> Ground:
    def kept(x: Tensor, t: float) -> Encoded:
        before.append(ground(x, t))
        return before[0]

    return kept


def _told(watch: Watch, rows: int, batch: int) -> Callable[[Features], Features]:
    """Of so many rows of features those that are watched: the first of the last `batch`, under their own condition."""
    own = slice(rows - batch, rows - batch + watch.count)
    return lambda features: tuple(feature[own].detach() for feature in features)


def _note_sum(watch: Watch, before: Features, after: Features) -> None:
    """Of what was handed on, whoever weighed it."""
    added = tuple(e - own for e, own in zip(after, before, strict=True))
    watch.note("share", ALL, _shares(added, before))


@torch.no_grad()
def _note_each(
    watch: Watch,
    before: Encoded,
    said: Sequence[Features],
    names: Sequence[str],
    strengths: Sequence[float],
    balanced: Balanced,
) -> None:
    balance = balanced(before, said)
    gains = torch.stack(balance.gains, dim=1)
    watch.note("gain", ALL, gains)
    for place, (name, features, strength) in enumerate(zip(names, said, strengths, strict=True)):
        weights = torch.stack([own[:, place] for own in balance.weights], dim=1)
        watch.note("weight", name, weights)
        watch.note("share", name, strength * gains * weights * _shares(features, before.features))


def _shares(added: Features, before: Features) -> Tensor:
    """Lengths in shares of the features', `(count, layers)`."""
    return torch.stack([share(own, e) for own, e in zip(added, before, strict=True)], dim=1)
