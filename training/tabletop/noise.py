"""What every denoiser of the family learns: the noise in latents of random timesteps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import Tensor

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch

LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD = 0.3, 1.2
"""What a thing is, is decided at high noise; uniform timesteps spend more on the grain of walls."""
MOST_WEIGHT = 10.0


@dataclass(frozen=True)
class Noised:
    """Latents `noisy` `(batch, channels, height, width)` at timesteps `steps`, and the `noise` in them."""

    noisy: Tensor
    noise: Tensor
    steps: Tensor
    weights: Tensor


def sd_schedule() -> DDIMScheduler:
    """Stable Diffusion's schedule: betas linear in their square roots, 1,000 steps, epsilon."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def noised(clean: Tensor, schedule: Any, draws: Draws) -> Noised:
    """Noise added by the schedule, at a noise level drawn for each: log-normal (EDM, Karras et al., 2022, Sec. 5)."""
    noise = draws.normal("noise", clean.shape)
    snr = signal_to_noise(schedule).to(clean.device)
    log_sigma = LOG_SIGMA_MEAN + LOG_SIGMA_SPREAD * draws.normal("level", (len(clean),))
    steps = torch.searchsorted(-0.5 * snr.log(), log_sigma).clamp(max=len(snr) - 1)
    return Noised(schedule.add_noise(clean, noise, steps), noise, steps, edm_weights(snr[steps]))


def noise_loss(predicted: Tensor, of: Noised, counts: Tensor | float = 1.0) -> dict[str, Tensor]:
    """The squared error of predicted noise with EDM's weights, and without as `noise`; a place counts as `counts`."""
    error = (counts * F.mse_loss(predicted.float(), of.noise, reduction="none")).mean(dim=(1, 2, 3))
    return {"loss": (of.weights * error).mean(), "noise": error.mean()}


def signal_to_noise(schedule: Any) -> Tensor:
    """The ratio of variances at each timestep, falling."""
    abar: Tensor = schedule.alphas_cumprod
    return abar / (1 - abar)


def edm_weights(snr: Tensor) -> Tensor:
    """(SNR + 1) / SNR, at most ten: EDM's weight of the denoised latent's error (Table 1), for that of the noise."""
    return ((snr + 1) / snr).clamp(max=MOST_WEIGHT)


def sampled(batch: Batch, draws: Draws) -> Tensor:
    """Latents drawn from the posteriors `mean` and `deviation` of a batch."""
    mean = batch["mean"]
    return mean + batch["deviation"] * draws.normal("posterior", mean.shape)


def with_null(states: Tensor, null: Tensor, share: float, draws: Draws) -> Tensor:
    """Text states `(batch, tokens, width)`, those of a random `share` replaced by the null condition's."""
    dropped: Tensor = draws.uniform("null", (len(states), 1, 1)) < share
    told: Tensor = torch.where(dropped, null.to(states), states)
    return told
