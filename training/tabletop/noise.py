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

MIN_SNR = 5.0


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
    """Noise added by the schedule, at a timestep drawn for each."""
    noise = draws.normal("noise", clean.shape)
    steps = draws.integers("timestep", schedule.config.num_train_timesteps, (len(clean),))
    weights = min_snr_weights(schedule.alphas_cumprod.to(steps.device)[steps])
    return Noised(schedule.add_noise(clean, noise, steps), noise, steps, weights)


def noise_loss(predicted: Tensor, of: Noised) -> dict[str, Tensor]:
    """The squared error of predicted noise with min-SNR weights, and without as `noise`."""
    error = F.mse_loss(predicted.float(), of.noise, reduction="none").mean(dim=(1, 2, 3))
    return {"loss": (of.weights * error).mean(), "noise": error.mean()}


def min_snr_weights(abar: Tensor) -> Tensor:
    """min(SNR, 5) / SNR, the weight of an epsilon loss (Hang et al., 2023, Sec. 3.4)."""
    snr = abar / (1 - abar)
    weights: Tensor = snr.clamp(max=MIN_SNR) / snr
    return weights


def sampled(batch: Batch, draws: Draws) -> Tensor:
    """Latents drawn from the posteriors `mean` and `deviation` of a batch."""
    mean = batch["mean"]
    return mean + batch["deviation"] * draws.normal("posterior", mean.shape)


def with_null(states: Tensor, null: Tensor, share: float, draws: Draws) -> Tensor:
    """Text states `(batch, tokens, width)`, those of a random `share` replaced by the null condition's."""
    dropped: Tensor = draws.uniform("null", (len(states), 1, 1)) < share
    told: Tensor = torch.where(dropped, null.to(states), states)
    return told
