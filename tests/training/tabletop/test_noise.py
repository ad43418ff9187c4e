"""At which noise levels denoisers learn, and how much each counts."""

from __future__ import annotations

import torch

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.noise import (
    LOG_SIGMA_MEAN,
    LOG_SIGMA_SPREAD,
    MOST_WEIGHT,
    edm_weights,
    noised,
    sd_schedule,
    signal_to_noise,
)


def test_noise_levels_are_log_normal() -> None:
    schedule, clean = sd_schedule(), torch.randn(20_000, 1, 2, 2)
    of = noised(clean, schedule, Draws(0, 0, torch.device("cpu")))
    levels = -0.5 * signal_to_noise(schedule)[of.steps].log()
    inside = levels[(of.steps > 0) & (of.steps < 999)]
    assert len(inside) > 18_000
    assert abs(levels.median() - LOG_SIGMA_MEAN) < 0.05
    lower, upper = levels.quantile(0.25), levels.quantile(0.75)
    assert abs((upper - lower) - 1.349 * LOG_SIGMA_SPREAD) < 0.1


def test_what_is_noised_is_what_the_schedule_says() -> None:
    schedule, clean = sd_schedule(), torch.randn(16, 4, 3, 3)
    of = noised(clean, schedule, Draws(0, 3, torch.device("cpu")))
    abar = schedule.alphas_cumprod[of.steps][:, None, None, None]
    assert torch.allclose(of.noisy, abar.sqrt() * clean + (1 - abar).sqrt() * of.noise, atol=1e-6)


def test_weights_make_of_the_noise_error_edms_of_the_clean_one() -> None:
    snr = signal_to_noise(sd_schedule()).double()
    sigma = snr.rsqrt()
    edm = (sigma**2 + 1) / sigma**2  # of the error of a denoised latent with unit variance
    weights = edm_weights(snr)
    free = weights < MOST_WEIGHT
    assert torch.allclose(weights[free], (edm * sigma**2)[free])
    assert weights.max() == MOST_WEIGHT
    assert free.any()
    assert not free.all()
