"""Z-Magic: conditions that know of each other: what the second one sees has already moved towards the first."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import torch
from torch import Tensor

from sluice.inference.combiners.cagrad import cagrad
from sluice.inference.combiners.freedom import Condition, Pair, finite, pull
from sluice.inference.denoisers import Denoiser
from sluice.inference.sampler import Form, Moment, Step, shares, step_along
from sluice.training.written_out import differentiable_twice

Curvature = Literal["exact", "finite_difference"]


@dataclass(frozen=True)
class Dependence:
    """How conditions are combined: of three and more, all ordered pairs without conflict, by CAGrad's `c`.

    `curvature`: the Hessian product differentiated twice, or by differences of `step` times a latent's length; it turns
    the second condition's pull by at most `most_turn` of its own length (ours: where a condition pulls hard its
    curvature is that of a place where the picture will not be). `form`: what steps look like, that of the picture and
    that to where the second condition sees it.
    """

    c: float = 0.4
    curvature: Curvature = "exact"
    step: float = 1e-3
    most_turn: float = 1.0
    form: Form = "ancestral"


def zmagic_step(
    denoiser: Denoiser,
    conditions: Sequence[Condition],
    path: Sequence[Moment],
    dependence: Dependence | None = None,
    pair: Pair | None = None,
) -> Step:
    """A step guided by dependent conditions (Z-Magic, Algorithms 1 and 2).

    One condition is its own pull; two are an ordered pair; of more, all ordered pairs are averaged without conflict.
    `path` is the one that is sampled along: the second condition is seen one step later.
    """
    how = dependence or Dependence()
    after = {at.t: later for at, later in zip(path, [*path[1:], path[-1]], strict=True)}

    def step(x: Tensor, at: Moment, z: Tensor) -> Tensor:
        # Fused attention has no second derivative, and built-in normalisations a wrong one.
        exact = how.curvature == "exact" and len(conditions) > 1
        with torch.enable_grad(), differentiable_twice() if exact else nullcontext():
            eps, pulls = guided_score(denoiser, conditions, x, at, after[at.t], z, how, pair)
        return step_along(x, -eps / at.sigma + pulls, at, z, how.form)

    return step


def guided_score(
    denoiser: Denoiser,
    conditions: Sequence[Condition],
    x: Tensor,
    at: Moment,
    after: Moment,
    z: Tensor,
    how: Dependence,
    pair: Pair | None = None,
) -> tuple[Tensor, Tensor]:
    """The prediction, and the sum of what the conditions add to its score; both without a graph."""
    seen, eps = _seen(denoiser, x, at)
    if len(conditions) < 2:
        alone = [finite(pull(seen, eps, condition, at), condition, at) for condition in conditions]
        return eps.detach(), torch.stack(alone).sum(dim=0) if alone else torch.zeros_like(x)
    pairs = [(0, 1)] if len(conditions) == 2 else list(permutations(range(len(conditions)), 2))
    found: list[Tensor] = []
    for first in dict.fromkeys(first for first, _ in pairs):
        # All pairs share the graph of the prediction here; those that follow one condition, also where it leads.
        seconds = [second for own, second in pairs if own == first]
        following = [conditions[second] for second in seconds]
        own = _followed(denoiser, conditions[first], following, seen, eps, at, after, z, how)
        for second, (g1, back) in zip(seconds, own, strict=True):
            if pair is not None:
                pair(first, second, g1, back)
            found.append(finite(g1 + back, conditions[second], at))
    return eps.detach(), found[0] if len(found) == 1 else cagrad(found, how.c)


def _followed(
    denoiser: Denoiser,
    first: Condition,
    seconds: Sequence[Condition],
    seen: Tensor,
    eps: Tensor,
    at: Moment,
    after: Moment,
    z: Tensor,
    how: Dependence,
) -> list[tuple[Tensor, Tensor]]:
    """For each second condition, the first's pull and its own, as the first has changed what it sees (Eqs. 6 and 7)."""
    exact = how.curvature == "exact"
    g1 = finite(pull(seen, eps, first, at, keep=exact), first, at)
    score = -eps / at.sigma
    moved = step_along(seen, score + g1, at, z, how.form).detach()
    ahead, ahead_eps = _seen(denoiser, moved, after)
    of_x, of_score, _ = shares(at, how.form)
    found = []
    for second in seconds:
        g2 = finite(pull(ahead, ahead_eps, second, after).detach(), second, at)
        (along_score,) = torch.autograd.grad((score * g2).sum(), seen, retain_graph=True)
        if exact:
            (along_pull,) = torch.autograd.grad((g1 * g2).sum(), seen, retain_graph=True)
        else:
            along_pull = _difference(denoiser, first, seen.detach(), g2, at, how.step)
        own, turn = of_x * g2, of_score * finite(along_pull, first, at)
        back = own + of_score * along_score + turn * _shortened(turn, how.most_turn * _length(own))
        found.append((g1.detach(), back.detach()))
    return found


def _seen(denoiser: Denoiser, x: Tensor, at: Moment) -> tuple[Tensor, Tensor]:
    seen = x.detach().requires_grad_()
    return seen, denoiser(seen, at.t)


def _difference(denoiser: Denoiser, first: Condition, x: Tensor, g2: Tensor, at: Moment, step: float) -> Tensor:
    """`grad (g1 . g2)`, a symmetric Hessian's product with g2, from two pulls to either side of `x`."""
    move = (step * _length(x) / _length(g2)).to(x)
    pulls = [pull(*_seen(denoiser, x + sign * move * g2, at), first, at) for sign in (1, -1)]
    product: Tensor = (pulls[0] - pulls[1]) / (2 * move)
    return product


def _shortened(value: Tensor, most: Tensor) -> Tensor:
    """What a sample is multiplied with to be no longer than `most`."""
    return (most / _length(value)).clamp(max=1).to(value)


def _length(value: Tensor) -> Tensor:
    """Of each sample, above 0, in float32 at least: in fp16 it would overflow, and 1e-12 be 0."""
    wide = torch.promote_types(value.dtype, torch.float32)
    lengths: Tensor = torch.linalg.vector_norm(value.flatten(1), dim=1, dtype=wide).clamp(min=1e-12)
    return lengths.reshape(-1, *[1] * (value.dim() - 1))
