"""Sampling: steps from noise to a latent, along a diffusers scheduler's own schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from sluice.inference.denoisers import Denoiser


@dataclass(frozen=True)
class Moment:
    """Where a step begins and ends: training timesteps, and the cumulative alphas there."""

    t: int
    t_prev: int
    abar: Tensor
    abar_prev: Tensor

    @property
    def sigma(self) -> Tensor:
        """The noise's share at its beginning, `sqrt(1 - abar)`."""
        return (1 - self.abar).sqrt()

    @property
    def beta(self) -> Tensor:
        """The noise that the step takes away, of the steps taken: `1 - abar / abar_prev`."""
        return 1 - self.abar / self.abar_prev


Step = Callable[[Tensor, Moment, Tensor], Tensor]
"""`(x, moment, z) -> x_prev`; `z` is standard normal noise like `x`, which a deterministic step leaves alone."""

Form = Literal["ancestral", "score"]
"""What steps of a score look like: DDPM's, or Z-Magic's own, which is the same where steps are small. Where they are
not, it leaves noise in the picture: of faces in pixels, sampled in 20 steps, all that can be seen."""

Noise = Callable[[Tensor, int], Tensor]
"""Standard normal noise like a latent, for a step's number."""


def moments(scheduler: Any, steps: int, device: str | torch.device = "cpu") -> list[Moment]:
    """The steps that a diffusers scheduler takes, noisiest first. Raises ValueError where these are none."""
    if steps < 1:
        raise ValueError(f"a picture takes at least one step, and not {steps}")
    scheduler.set_timesteps(steps)
    visited = [int(t) for t in scheduler.timesteps]
    alphas = [scheduler.alphas_cumprod[t].to(device) for t in visited] + [scheduler.final_alpha_cumprod.to(device)]
    return [
        Moment(t, t_prev, abar, abar_prev)
        for (t, t_prev), (abar, abar_prev) in zip(pairwise([*visited, 0]), pairwise(alphas), strict=True)
    ]


def clean_estimate(x: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """The clean latent that a noise prediction means: `(x - sqrt(1 - abar) eps) / sqrt(abar)` (DDIM, Eq. 9)."""
    return (x - (1 - abar).sqrt() * eps) / abar.sqrt()


def ddim_step(denoiser: Denoiser, eta: float = 0.0) -> Step:
    """Of a denoiser, deterministic (eta 0) to ancestral (eta 1) (DDIM, Eqs. 12 and 16)."""

    def step(x: Tensor, at: Moment, z: Tensor) -> Tensor:
        eps = denoiser(x, at.t)
        sigma = eta * ((1 - at.abar_prev) / (1 - at.abar) * at.beta).sqrt()
        direction = (1 - at.abar_prev - sigma**2).clamp(min=0).sqrt()
        x_prev = at.abar_prev.sqrt() * clean_estimate(x, eps, at.abar) + direction * eps
        return x_prev + sigma * z if eta else x_prev

    return step


def ancestral_step(denoiser: Denoiser) -> Step:
    """A DDPM step over the steps taken: DDIM with eta 1."""
    return ddim_step(denoiser, 1.0)


def score_step(denoiser: Denoiser) -> Step:
    """`(2 - sqrt(1 - beta)) x + beta s + sqrt(beta) z`, s the score: Z-Magic's own (Algorithm 1, lines 9 and 10)."""

    def step(x: Tensor, at: Moment, z: Tensor) -> Tensor:
        return step_along(x, -denoiser(x, at.t) / at.sigma, at, z, "score")

    return step


def shares(at: Moment, form: Form) -> tuple[Tensor, Tensor, Tensor]:
    """How much of x, of its score and of z makes up a step: as in `score_step`, or as in `ancestral_step`."""
    if form == "score":
        return 2 - (1 - at.beta).sqrt(), at.beta, at.beta.sqrt()
    kept = (1 - at.beta).sqrt()
    return 1 / kept, at.beta / kept, (at.beta * (1 - at.abar_prev) / (1 - at.abar)).sqrt()


def step_along(x: Tensor, score: Tensor, at: Moment, z: Tensor, form: Form) -> Tensor:
    """A step of a score, guided or not."""
    of_x, of_score, of_noise = shares(at, form)
    return of_x * x + of_score * score + of_noise * z


def back_again(x: Tensor, at: Moment, z: Tensor) -> Tensor:
    """A step's result, made as noisy as it was before: time travel (FreeDoM, Algorithm 2)."""
    return (1 - at.beta).sqrt() * x + at.beta.sqrt() * z


@torch.no_grad()
def sample(
    step: Step, x: Tensor, path: Sequence[Moment], noise: Noise, repeats: Callable[[int], int] = lambda _: 1
) -> Tensor:
    """From noise `x` to a clean latent along a path; step n is taken `repeats(n)` times, travelling back between."""
    drawn = _numbered(noise)
    for number, at in enumerate(path):
        for again in range(repeats(number)):
            x = step(back_again(x, at, drawn(x)) if again else x, at, drawn(x))
    return x


def _numbered(noise: Noise) -> Callable[[Tensor], Tensor]:
    numbers: Iterator[int] = iter(range(2**31))
    return lambda x: noise(x, next(numbers))


def no_noise(x: Tensor, number: int) -> Tensor:  # noqa: ARG001
    """For deterministic steps."""
    return torch.zeros_like(x)


def ddim(denoiser: Denoiser, x: Tensor, scheduler: Any, steps: int) -> Tensor:
    """From noise `x` to a clean latent, in deterministic steps of the scheduler's own schedule."""
    return sample(ddim_step(denoiser), x, moments(scheduler, steps, x.device), no_noise)
