"""Sampling: a denoiser's noise predictions, step by step, from noise to a latent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from sluice.inference.denoisers import Denoiser


def clean_estimate(x: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """The clean latent that a noise prediction means: `(x - sqrt(1 - abar) eps) / sqrt(abar)` (DDIM, Eq. 9)."""
    return (x - (1 - abar).sqrt() * eps) / abar.sqrt()


def ddim_step(x: Tensor, eps: Tensor, abar: Tensor, abar_prev: Tensor) -> Tensor:
    """One deterministic step (DDIM, Eq. 12 with sigma = 0)."""
    return abar_prev.sqrt() * clean_estimate(x, eps, abar) + (1 - abar_prev).sqrt() * eps


def timesteps_of(scheduler: Any, steps: int) -> list[int]:
    """The training timesteps that a diffusers scheduler visits in so many steps, noisiest first."""
    scheduler.set_timesteps(steps)
    return [int(t) for t in scheduler.timesteps]


def cumulative_alphas(scheduler: Any, timesteps: Sequence[int]) -> list[Tensor]:
    """abar at each of these timesteps, and last the one that the final step leads to."""
    return [*(scheduler.alphas_cumprod[t] for t in timesteps), scheduler.final_alpha_cumprod]


@torch.no_grad()
def ddim(denoiser: Denoiser, x: Tensor, scheduler: Any, steps: int) -> Tensor:
    """From noise `x` to a clean latent, in `steps` deterministic steps of the scheduler's own schedule."""
    for t, abar, abar_prev in _walk(scheduler, steps):
        x = ddim_step(x, denoiser(x, t), abar.to(x.device), abar_prev.to(x.device))
    return x


def _walk(scheduler: Any, steps: int) -> Iterator[tuple[int, Tensor, Tensor]]:
    timesteps = timesteps_of(scheduler, steps)
    for t, (abar, abar_prev) in zip(timesteps, pairwise(cumulative_alphas(scheduler, timesteps)), strict=True):
        yield t, abar, abar_prev
