"""A learned variance: what a denoiser's second half of channels is trained by (Nichol and Dhariwal, 2021, Sec. 3.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sluice.training.tabletop.noise import Noised


def learned_log_variance(raw: Tensor, steps: Tensor, schedule: Any) -> Tensor:
    """Between the posterior's variance and beta, in logarithms: `raw` of -1 is the one, 1 the other (Eq. 15)."""
    beta, _, posterior = _variances(steps, schedule)
    share = (raw + 1) / 2
    return share * beta.log() + (1 - share) * posterior.log()


def variational_bound(clean: Tensor, of: Noised, predicted: Tensor, raw: Tensor, schedule: Any) -> Tensor:
    """KL from the posterior q(x_t-1 | x_t, x_0) to the model's step, by sample `(batch,)`, in nats a value (Eq. 5).

    The predicted noise gets no gradient from it. At t = 0, where the posterior is a point, its variance is taken
    to be that of t = 1.
    """
    beta, abar, posterior = _variances(of.steps, schedule)
    abar_prev = abar / (1 - beta)
    to_clean = abar_prev.sqrt() * beta / (1 - abar)
    eps = predicted.detach()
    estimate = (of.noisy - (1 - abar).sqrt() * eps) / abar.sqrt()
    apart = (to_clean * (clean - estimate)).square()
    log_variance = learned_log_variance(raw, of.steps, schedule)
    kl = 0.5 * (log_variance - posterior.log() + (posterior + apart) / log_variance.exp() - 1)
    return kl.mean(dim=(1, 2, 3))


def _variances(steps: Tensor, schedule: Any) -> tuple[Tensor, Tensor, Tensor]:
    """beta, abar and the posterior's variance at timesteps, each `(batch, 1, 1, 1)`."""
    betas, abars = schedule.betas.to(steps.device), schedule.alphas_cumprod.to(steps.device)
    before = torch.cat([abars.new_ones(1), abars[:-1]])
    posterior = betas * (1 - before) / (1 - abars)
    posterior[0] = posterior[1]
    beta, abar, posterior = (values[steps][:, None, None, None] for values in (betas, abars, posterior))
    return beta, abar, posterior
