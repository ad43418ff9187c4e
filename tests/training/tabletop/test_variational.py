"""The learned variance against diffusers' own, and the bound against torch's divergence of normals."""

from __future__ import annotations

import pytest
import torch

from sluice.training.tabletop.class_denoiser import cosine_schedule
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.noise import noised
from sluice.training.tabletop.variational import learned_log_variance, variational_bound

SCHEDULE = cosine_schedule()
CLEAN = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("t", [1, 17, 500, 999])
def test_the_variance_is_what_diffusers_steps_with(t: int) -> None:
    raw = torch.linspace(-1, 1, 5).reshape(5, 1, 1, 1)
    ours = learned_log_variance(raw, torch.full((5,), t), SCHEDULE)
    SCHEDULE.set_timesteps(1000)
    torch.testing.assert_close(ours, SCHEDULE._get_variance(t, raw), rtol=1e-4, atol=1e-4)


def test_the_bound_is_the_divergence_of_the_model_step_from_the_posterior() -> None:
    seen = noised(CLEAN, SCHEDULE, Draws(0, 0, torch.device("cpu")))
    predicted = seen.noise + 0.1 * torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(1))
    raw = torch.rand(CLEAN.shape, generator=torch.Generator().manual_seed(2)) * 2 - 1
    found = variational_bound(CLEAN, seen, predicted, raw, SCHEDULE)
    for i, t in enumerate(seen.steps.tolist()):
        assert t > 0
        beta, abar = SCHEDULE.betas[t], SCHEDULE.alphas_cumprod[t]
        abar_prev = SCHEDULE.alphas_cumprod[t - 1]
        variance = beta * (1 - abar_prev) / (1 - abar)

        def mean(clean: torch.Tensor, i: int = i, beta: torch.Tensor = beta) -> torch.Tensor:
            abar_prev, abar = SCHEDULE.alphas_cumprod[t - 1], SCHEDULE.alphas_cumprod[t]  # noqa: B023
            return (abar_prev.sqrt() * beta * clean + (1 - beta).sqrt() * (1 - abar_prev) * seen.noisy[i]) / (1 - abar)

        estimate = (seen.noisy[i] - (1 - abar).sqrt() * predicted[i]) / abar.sqrt()
        deviation = (0.5 * learned_log_variance(raw[i : i + 1], seen.steps[i : i + 1], SCHEDULE)[0]).exp()
        wanted = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean(CLEAN[i]), variance.sqrt()),
            torch.distributions.Normal(mean(estimate), deviation),
        ).mean()
        torch.testing.assert_close(found[i], wanted, rtol=2e-2, atol=1e-4)


def test_nothing_is_to_gain_beyond_the_truth() -> None:
    seen = noised(CLEAN, SCHEDULE, Draws(0, 0, torch.device("cpu")))
    at_truth = variational_bound(CLEAN, seen, seen.noise, -torch.ones_like(CLEAN), SCHEDULE)
    torch.testing.assert_close(at_truth, torch.zeros(6), rtol=0, atol=1e-4)


def test_the_predicted_noise_is_not_moved_by_it() -> None:
    seen = noised(CLEAN, SCHEDULE, Draws(0, 0, torch.device("cpu")))
    predicted = seen.noise.clone().requires_grad_()
    raw = torch.zeros_like(CLEAN).requires_grad_()
    torch.autograd.backward(variational_bound(CLEAN, seen, predicted, raw, SCHEDULE).sum())
    assert predicted.grad is None
    assert raw.grad is not None
    assert raw.grad.abs().sum() > 0
