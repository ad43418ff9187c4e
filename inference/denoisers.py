"""Denoisers, `(x, t) -> eps`: models with their conditions bound, under classifier-free guidance.

A model with its conditions bound gives two predictions, one under the null condition and one under its own, from one
doubled batch. Guidance is `eps_null + scale (eps_condition - eps_null)` (Ho and Salimans, 2022, Eq. 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, float], Tensor]
"""`x` and `eps` `(batch, channels, height, width)`, `t` a training timestep, or a time between two."""

Bound = Callable[[Tensor, float], tuple[Tensor, Tensor]]
"""A model with its conditions bound: its predictions under the null condition and under its own, each like `x`."""


PREDICTED = ("epsilon", "v_prediction", "sample")
NOT_DONE = ("clip_sample", "thresholding", "rescale_betas_zero_snr")
"""What a diffusers scheduler may ask of its own steps."""


def guided(model: Bound, scale: float) -> Denoiser:
    """Classifier-free guidance of one model."""
    return lambda x, t: torch.lerp(*model(x, t), scale)


def doubled(predict: Denoiser) -> Bound:
    """Both predictions of a network that is asked once, the null condition in the first half of its batch."""

    def model(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        null, own = predict(torch.cat([x, x]), t).chunk(2)
        return null, own

    return model


def require_known(scheduler: Any) -> None:
    """Raises ValueError where a scheduler says that its model predicts, or asks of steps, what is not done here."""
    kind = scheduler.config.prediction_type
    if kind not in PREDICTED:
        raise ValueError(f"its scheduler says that it predicts `{kind}`; known are {', '.join(PREDICTED)}")
    asked = [name for name in NOT_DONE if getattr(scheduler.config, name, False)]
    if asked:
        raise ValueError(
            f"its scheduler asks for {' and '.join(asked)}, which the steps here do not do: set them to false in its "
            "scheduler_config.json, if it does without"
        )


def noise_of(model: Bound, scheduler: Any) -> Bound:
    """A model as one that predicts the noise, whatever its scheduler says that it predicts.

    Of v it is `sqrt(abar) v + sqrt(1 - abar) x` (Salimans and Ho, 2022, App. D), of a clean sample
    `(x - sqrt(abar) x0) / sqrt(1 - abar)`. Raises ValueError for another kind, and as `require_known`.
    """
    require_known(scheduler)
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return model

    def predicted(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        abar = alpha_at(scheduler, t).to(x)
        null, own = model(x, t)
        if kind == "sample":
            return ((x - abar.sqrt() * null) / (1 - abar).sqrt(), (x - abar.sqrt() * own) / (1 - abar).sqrt())
        return abar.sqrt() * null + (1 - abar).sqrt() * x, abar.sqrt() * own + (1 - abar).sqrt() * x

    return predicted


def alpha_at(scheduler: Any, t: float) -> Tensor:
    """The cumulative alpha at a timestep; between two, of a signal-to-noise ratio between theirs, in its logarithm."""
    before = int(t)
    alphas = scheduler.alphas_cumprod[[before, min(before + 1, len(scheduler.alphas_cumprod) - 1)]].double()
    low, high = alphas.logit()
    found: Tensor = alphas[0] if before == t else torch.lerp(low, high, t - before).sigmoid()
    return found


def halves(null: Tensor, own: Tensor) -> Tensor:
    """What conditions a doubled batch `(2 batch, ...)`, the null condition's first, which may be one for all."""
    return torch.cat([null.expand_as(own), own])


def noise_in(predicted: Tensor, x: Tensor) -> Tensor:
    """Of a prediction with a learned variance's channels (Nichol and Dhariwal, 2021) the noise, for which DDIM asks."""
    return predicted[:, : x.shape[1]]


def by_text(unet: Any, states: Tensor, null: Tensor) -> Bound:
    """By text states `(batch, tokens, width)`, against those of the null condition."""
    told = halves(null, states)
    return doubled(lambda x, t: noise_in(unet(x, t, told).sample, x))


def by_class(unet: Any, classes: Tensor, null: int) -> Bound:
    """By class numbers `(batch,)`."""
    told = halves(torch.full_like(classes, null), classes)
    return doubled(lambda x, t: noise_in(unet(x, t, told).sample, x))


def by_boxes(unet: Any, states: Tensor, null: Tensor, boxes: Mapping[str, Tensor]) -> Bound:
    """By a text and by what stands where (GLIGEN), against the null text without boxes.

    `boxes` `(batch, n, 4)` left, top, right, bottom as shares of the picture, `positive_embeddings` `(batch, n, width)`
    of what is in them, `masks` `(batch, n)` 1 where there is one.
    """
    both = {name: torch.cat([value, value]) for name, value in boxes.items()}
    both["masks"] = halves(torch.zeros_like(boxes["masks"]), boxes["masks"])
    told = halves(null, states)
    # Diffusers takes the mapping apart.
    return doubled(lambda x, t: noise_in(unet(x, t, told, cross_attention_kwargs={"gligen": dict(both)}).sample, x))


def by_picture(unet: Any, states: Tensor, null: Tensor, embeds: Tensor) -> Bound:
    """By a text and by image embeddings `(batch, width)` through a loaded IP-Adapter, against the null text alone."""
    pictures = {"image_embeds": [halves(torch.zeros_like(embeds), embeds)[:, None]]}
    told = halves(null, states)
    return doubled(lambda x, t: noise_in(unet(x, t, told, added_cond_kwargs=pictures).sample, x))


def by_nothing(unet: Any) -> Bound:
    """A U-Net that takes no condition: both predictions are its one."""
    denoiser = unconditional(unet)

    def model(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        predicted = denoiser(x, t)
        return predicted, predicted

    return model


def unconditional(unet: Any) -> Denoiser:
    """A U-Net that takes no condition."""
    return lambda x, t: noise_in(unet(x, t).sample, x)


def inpainting(unet: Any, states: Tensor, hole: Tensor, masked: Tensor) -> Denoiser:
    """Into `hole` `(batch, 1, height, width)`, 1 inside, of the `masked` latent around it; no guidance."""

    def denoiser(x: Tensor, t: float) -> Tensor:
        predicted: Tensor = unet(torch.cat([x, hole, masked], dim=1), t, states).sample
        return predicted

    return denoiser
