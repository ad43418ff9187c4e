"""FreeDoM: a step guided by energies of the clean latent that it predicts, their gradients summed (FreeDoM, Eq. 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import torch
from torch import Tensor

from sluice.inference.denoisers import Denoiser
from sluice.inference.sampler import Form, Moment, Step, clean_estimate, step_along

Energy = Callable[[Tensor], Tensor]
"""Of clean latents `(batch, channels, height, width)`, a number each `(batch,)`, lower where a condition is met."""

Rho = Callable[[Moment, Tensor, Tensor], Tensor]
"""How strongly: of a moment, the noise prediction and the energy's gradient, a number for each sample or for all."""


Pair = Callable[[int, int, Tensor, Tensor], None]
"""Told, at every step, of two conditions by their places and of what each adds to the score, `(batch, ...)`."""


@dataclass(frozen=True)
class Condition:
    """An energy, its strength, and the training timestep from which on it is silent: detail is the model's own.

    `left_out` fills with the timesteps, and the samples' places in the batch, at which it had no finite gradient: these
    went on without it.
    """

    energy: Energy
    rho: Rho
    silent_from: int = -1
    left_out: list[tuple[int, int]] = field(default_factory=list)


def constant(value: float) -> Rho:
    """The same at every step."""

    def rho(at: Moment, eps: Tensor, gradient: Tensor) -> Tensor:  # noqa: ARG001
        return gradient.new_full((len(gradient),), value)

    return rho


def relative(value: float) -> Rho:
    """FreeDoM's for text: a share of the prediction's size, larger where there is more noise (its released code)."""

    def rho(at: Moment, eps: Tensor, gradient: Tensor) -> Tensor:
        size = eps.detach().flatten(1).square().mean(dim=1).sqrt() * at.sigma / at.abar.sqrt()
        return value * size / gradient.detach().flatten(1).square().mean(dim=1).sqrt().clamp(min=1e-12)

    return rho


def pull(x: Tensor, eps: Tensor, condition: Condition, at: Moment, keep: bool = False) -> Tensor:
    """`g = -(rho / beta) grad_x E(x0|t)`, of `x` that requires a gradient, with its prediction `eps` in the graph.

    With `keep`, g can itself be differentiated; the strength is a constant then.
    """
    if at.t <= condition.silent_from:
        return 0 * x
    energy = condition.energy(clean_estimate(x, eps, at.abar)).sum()
    (gradient,) = torch.autograd.grad(energy, x, create_graph=keep, retain_graph=True)
    strength = condition.rho(at, eps, gradient).detach()
    return -(strength / at.beta).reshape(-1, *[1] * (x.dim() - 1)) * gradient


def finite(guidance: Tensor, condition: Condition, at: Moment) -> Tensor:
    """What a condition adds, `(batch, ...)`, but nothing to samples for which it is not a number; that is noted."""
    good = guidance.flatten(1).isfinite().all(dim=1)
    if bool(good.all()):
        return guidance
    missing = [(at.t, int(place)) for place in (~good).nonzero()]
    condition.left_out.extend(own for own in missing if own not in condition.left_out)
    return torch.where(good.reshape(-1, *[1] * (guidance.dim() - 1)), guidance, 0.0)


def freedom_step(
    denoiser: Denoiser, conditions: Sequence[Condition], pair: Pair | None = None, form: Form = "ancestral"
) -> Step:
    """A step whose score is the denoiser's and the sum of all pulls."""

    def step(x: Tensor, at: Moment, z: Tensor) -> Tensor:
        with torch.enable_grad():
            seen = x.detach().requires_grad_()
            eps = denoiser(seen, at.t)
            pulls = [finite(pull(seen, eps, condition, at), condition, at) for condition in conditions]
        if pair is not None:
            for one, other in combinations(range(len(pulls)), 2):
                pair(one, other, pulls[one], pulls[other])
        score = -eps.detach() / at.sigma
        return step_along(x, score + torch.stack(pulls).sum(dim=0) if pulls else score, at, z, form)

    return step
