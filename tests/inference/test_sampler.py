"""The sampler against diffusers' own scheduler."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from sluice.inference.sampler import ddim

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}


@pytest.mark.parametrize("steps", [1, 20, 50])
@pytest.mark.parametrize("options", [{"set_alpha_to_one": False, "steps_offset": 1}, {"timestep_spacing": "trailing"}])
def test_ddim_is_diffusers(steps: int, options: dict[str, Any]) -> None:
    scheduler = DDIMScheduler(**SD, **options)
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))

    def denoiser(x: Tensor, t: int) -> Tensor:
        return torch.sin(x * 3 + t / 100)

    ours = ddim(denoiser, x, scheduler, steps)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        x = scheduler.step(denoiser(x, int(t)), t, x, eta=0.0).prev_sample
    torch.testing.assert_close(ours, x, rtol=1e-5, atol=1e-5)


def test_the_true_noise_leads_back_to_the_clean_latent() -> None:
    """For a single point as data the ideal denoiser is known, and any number of steps must end there."""
    point = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    scheduler = DDIMScheduler(**SD, set_alpha_to_one=True)

    def ideal(x: Tensor, t: int) -> Tensor:
        abar = scheduler.alphas_cumprod[t]
        return (x - abar.sqrt() * point) / (1 - abar).sqrt()

    for steps in (1, 7, 50):
        found = ddim(ideal, torch.randn(1, 4, 8, 8), scheduler, steps)
        torch.testing.assert_close(found, point, rtol=0, atol=1e-3)
