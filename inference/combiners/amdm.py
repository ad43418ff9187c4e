"""Aggregation of Multi Diffusion Models: for the first steps the states of several models are drawn together (AMDM)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sluice.inference.sampler import Moment, Noise, Step, no_noise

RELATIVE_ETA = (0.35, 0.83)
"""Of model 1 and of the others, what the published settings amount to as a fraction of the distance."""


@dataclass(frozen=True)
class Aggregation:
    """For the first `steps` steps; `weights` of the aggregate against each further model, one fewer than models.

    `how`: `printed` is Eq. 9's `w x1 + sqrt(1 - w^2) x2`, which lengthens states that are nearly parallel; `slerp`
    keeps to the sphere. `eta`: how far each model is drawn back to its own state, a fraction of the distance; or
    `absolute`, in units of the square root of a latent's size, then never beyond its own state.
    """

    steps: int = 3
    weights: tuple[float, ...] = (0.5,)
    how: Literal["slerp", "printed"] = "slerp"
    eta: tuple[float, ...] | None = None
    absolute: bool = False

    def etas(self, models: int) -> tuple[float, ...]:
        """Of each model."""
        return self.eta or (RELATIVE_ETA[0], *[RELATIVE_ETA[1]] * (models - 1))


@torch.no_grad()
def aggregate(
    models: Sequence[Step],
    starts: Sequence[Tensor],
    paths: Sequence[Sequence[Moment]],
    aggregation: Aggregation,
    noise: Noise = no_noise,
) -> Tensor:
    """A clean latent of model 1, `(batch, channels, height, width)`, drawn to the others in the first steps.

    Every model takes steps of its own along a path of its own with as many of them; `starts` are the same noise, or
    independent ones. The noise of a step is the same for all models, so that it draws none of them away. Raises
    ValueError where numbers or shapes do not belong together.
    """
    _check(models, starts, paths, aggregation)
    states = list(starts)
    for number in range(min(aggregation.steps, len(paths[0]))):
        z = noise(states[0], number)
        own = [step(x, path[number], z) for step, x, path in zip(models, states, paths, strict=True)]
        together = combined(own, aggregation)
        etas = aggregation.etas(len(models))
        states = [drawn_back(together, x, eta, aggregation.absolute) for x, eta in zip(own, etas, strict=True)]
    x = states[0]
    for number, at in list(enumerate(paths[0]))[aggregation.steps :]:
        x = models[0](x, at, noise(x, number))
    return x


def combined(states: Sequence[Tensor], aggregation: Aggregation) -> Tensor:
    """The models' states as one (AMDM, Eq. 9), folded in their order: the squares of printed coefficients sum to 1."""
    together = states[0]
    for weight, state in zip(aggregation.weights, states[1:], strict=True):
        if aggregation.how == "printed":
            together = weight * together + (1 - weight**2) ** 0.5 * state
        else:
            together = slerp(together, state, weight)
    return together


def slerp(one: Tensor, other: Tensor, weight: float) -> Tensor:
    """Between two states on the sphere, per sample; `weight` is the cosine of the share of a right angle, as printed.

    For orthogonal states of equal length it is `w one + sqrt(1 - w^2) other`; equal states stay. The length goes from
    one to the other in proportion.
    """
    share = torch.acos(torch.tensor(weight, dtype=torch.float64)) * 2 / torch.pi
    lengths = [x.flatten(1).norm(dim=1).clamp(min=1e-12).reshape(-1, *[1] * (x.dim() - 1)) for x in (one, other)]
    units = [x / length for x, length in zip((one, other), lengths, strict=True)]
    cosine = (units[0] * units[1]).flatten(1).sum(dim=1).clamp(-1, 1).double()
    angle = torch.acos(cosine).reshape(lengths[0].shape)
    near = angle < 1e-4  # there the arc is a chord, and the sine of nothing divides nothing
    sine = torch.where(near, 1.0, angle.sin())
    first = torch.where(near, 1 - share, ((1 - share) * angle).sin() / sine)
    second = torch.where(near, share, (share * angle).sin() / sine)
    direction = first.to(one.dtype) * units[0] + second.to(one.dtype) * units[1]
    between: Tensor = direction * torch.lerp(lengths[0], lengths[1], float(share))
    return between


def drawn_back(together: Tensor, own: Tensor, eta: float, absolute: bool) -> Tensor:
    """`x' - eta (x' - mu)`, mu a model's own state: a share of the way, or so far but never beyond (AMDM, Eq. 11)."""
    if not absolute:
        return torch.lerp(together, own, eta)
    distance = (together - own).flatten(1).norm(dim=1).reshape(-1, *[1] * (own.dim() - 1))
    reach = eta * own[0].numel() ** 0.5
    return torch.lerp(together, own, (reach / distance.clamp(min=1e-12)).clamp(max=1))


def _check(
    models: Sequence[Step], starts: Sequence[Tensor], paths: Sequence[Sequence[Moment]], aggregation: Aggregation
) -> None:
    if len(aggregation.weights) != len(models) - 1:
        raise ValueError(f"{len(models)} models take {len(models) - 1} weights, not {len(aggregation.weights)}")
    if len({len(aggregation.etas(len(models))), len(models), len(starts), len(paths)}) > 1:
        raise ValueError("every model has one eta, one start and one path")
    shapes = {tuple(start.shape) for start in starts}
    if len(shapes) > 1 or len({len(path) for path in paths}) > 1:
        raise ValueError(f"models are aggregated over latents of one shape in as many steps, not {sorted(shapes)}")
