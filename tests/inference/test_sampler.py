"""The sampler's steps against diffusers' own scheduler, and on data whose every distribution is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from sluice.inference.denoisers import Denoiser
from sluice.inference.sampler import (
    Moment,
    Step,
    ancestral_step,
    back_again,
    ddim,
    ddim_step,
    moments,
    no_noise,
    sample,
    score_step,
    step_along,
)

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
OPTIONS: list[dict[str, Any]] = [{"set_alpha_to_one": False, "steps_offset": 1}, {"timestep_spacing": "trailing"}]


def wave(x: Tensor, t: int) -> Tensor:
    return torch.sin(x * 3 + t / 100)


def seeded(x: Tensor, number: int) -> Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(number), dtype=x.dtype)


@pytest.mark.parametrize("steps", [1, 20, 50])
@pytest.mark.parametrize("options", OPTIONS)
def test_ddim_is_diffusers(steps: int, options: dict[str, Any]) -> None:
    scheduler = DDIMScheduler(**SD, **options)
    x = seeded(torch.empty(2, 4, 8, 8), 0)
    ours = ddim(wave, x, scheduler, steps)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        x = scheduler.step(wave(x, int(t)), t, x, eta=0.0).prev_sample
    torch.testing.assert_close(ours, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_noisy_ddim_is_diffusers(eta: float) -> None:
    scheduler = DDIMScheduler(**SD, **OPTIONS[0])
    x = seeded(torch.empty(2, 4, 8, 8), 0)
    path = moments(scheduler, 20)
    ours = sample(ddim_step(wave, eta), x, path, seeded)
    for number, t in enumerate(scheduler.timesteps):
        noise = seeded(x, number)
        x = scheduler.step(wave(x, int(t)), t, x, eta=eta, variance_noise=noise).prev_sample
    torch.testing.assert_close(ours, x, rtol=1e-5, atol=1e-5)


def test_the_true_noise_leads_back_to_the_clean_latent() -> None:
    """For a single point as data the ideal denoiser is known, and any number of steps must end there."""
    point = seeded(torch.empty(1, 4, 8, 8), 0)
    scheduler = DDIMScheduler(**SD, set_alpha_to_one=True)

    def ideal(x: Tensor, t: int) -> Tensor:
        abar = scheduler.alphas_cumprod[t]
        return (x - abar.sqrt() * point) / (1 - abar).sqrt()

    for steps in (1, 7, 50):
        found = ddim(ideal, seeded(point, 1), scheduler, steps)
        torch.testing.assert_close(found, point, rtol=0, atol=1e-3)


def along_a_score(denoiser: Denoiser) -> Step:
    """What is guided, unguided."""
    return lambda x, at, z: step_along(x, -denoiser(x, at.t) / at.sigma, at, z, "ancestral")


def test_a_step_along_the_score_is_an_ancestral_one() -> None:
    for at in moments(DDIMScheduler(**SD), 10):
        x, z = seeded(torch.empty(2, 4, 8, 8), 0), seeded(torch.empty(2, 4, 8, 8), 1)
        found, wanted = (make(lambda x, t: torch.tanh(x + t))(x, at, z) for make in (along_a_score, ancestral_step))
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "steps", "variance"),
    [(score_step, 100, 0.0438), (ancestral_step, 100, 0.0290), (score_step, 20, 0.0754), (ancestral_step, 20, 0.0159)],
)
def test_the_variance_of_gaussian_data_after_some_steps(make: Any, steps: int, variance: float) -> None:
    scheduler = DDIMScheduler(**SD, set_alpha_to_one=True)
    data = 0.04

    def ideal(x: Tensor, t: int) -> Tensor:
        abar = scheduler.alphas_cumprod[t]
        return (1 - abar).sqrt() * x / (abar * data + 1 - abar)

    found = sample(
        make(ideal), seeded(torch.empty(1, 200_000), 0), moments(scheduler, steps), lambda x, n: seeded(x, n + 1)
    )
    assert float(found.var()) == pytest.approx(variance, rel=0.15)


def test_time_travel_goes_back_to_the_noise_that_there_was() -> None:
    scheduler = DDIMScheduler(**SD)
    at = moments(scheduler, 10)[4]
    clean = torch.zeros(1, 100_000)
    later = at.abar_prev.sqrt() * clean + (1 - at.abar_prev).sqrt() * seeded(clean, 0)
    assert float(back_again(later, at, seeded(clean, 1)).var()) == pytest.approx(float(1 - at.abar), rel=0.02)


def test_a_step_is_repeated_from_noise_of_its_own() -> None:
    taken: list[int] = []

    def step(x: Tensor, at: Moment, z: Tensor) -> Tensor:  # noqa: ARG001
        taken.append(at.t)
        return x

    as_step: Step = step
    path = moments(DDIMScheduler(**SD), 4)
    sample(as_step, torch.zeros(1, 1), path, no_noise, repeats=lambda number: 3 if number == 1 else 1)
    assert taken == [path[0].t, *[path[1].t] * 3, path[2].t, path[3].t]
