"""United denoisers: guidance where models are equal, reliability, schedules of their own."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from sluice.inference.combiners.unite import United, matched, unite
from sluice.inference.denoisers import Bound, Denoiser


def told(x: Tensor, t: int) -> Tensor:
    return torch.sin(x + t)


def also_told(x: Tensor, t: int) -> Tensor:
    return torch.cos(2 * x - t)


def null(x: Tensor, t: int) -> Tensor:
    return x * t / 7


def model(own: Denoiser, untold: Denoiser = null) -> Bound:
    return lambda x, t: (untold(x, t), own(x, t))


X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_equal_models_are_guidance_of_the_weights_sum() -> None:
    found = unite([United(model(told), 5.0), United(model(told), 5.0)])(X, 3)
    torch.testing.assert_close(found, null(X, 3) + 10 * (told(X, 3) - null(X, 3)))


def test_several_conditions_of_one_model_are_composable_diffusion() -> None:
    found = unite([United(model(told), 2.0), United(model(also_told), 3.0)])(X, 3)
    torch.testing.assert_close(found, null(X, 3) + 2 * (told(X, 3) - null(X, 3)) + 3 * (also_told(X, 3) - null(X, 3)))


def test_weights_of_a_half_each_leave_no_null() -> None:
    found = unite([United(model(told), 0.5), United(model(also_told), 0.5)])(X, 3)
    torch.testing.assert_close(found, (told(X, 3) + also_told(X, 3)) / 2)


@pytest.mark.parametrize("reliability", [0.0, 0.5, 1.0])
def test_reliability_shares_the_null(reliability: float) -> None:
    def other_null(x: Tensor, t: int) -> Tensor:  # noqa: ARG001
        return -x

    models = [United(model(told), 1.0, reliability), United(model(also_told, other_null), 1.0, 1 - reliability)]
    wanted = told(X, 3) + also_told(X, 3) - reliability * null(X, 3) + (1 - reliability) * X
    torch.testing.assert_close(unite(models)(X, 3), wanted)


def test_what_an_unreliable_model_predicts_without_a_condition_does_not_count() -> None:
    def nonsense(x: Tensor, t: int) -> Tensor:  # noqa: ARG001
        return x * torch.nan

    models = [United(model(told)), United(model(also_told, nonsense), reliability=0.0)]
    torch.testing.assert_close(unite(models)(X, 3), told(X, 3) + also_told(X, 3) - null(X, 3))


def test_every_model_is_asked_once() -> None:
    asked: list[float] = []

    def one(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        asked.append(t)
        return x, x

    unite([United(one), United(one)])(X, 3)
    assert asked == [3, 3]


def test_a_model_of_the_same_schedule_is_asked_at_the_same_time() -> None:
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    asked: list[float] = []

    def asks(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        asked.append(t)
        return x, x

    for t in (1, 500, 999):
        matched(asks, scheduler, scheduler)(X, t)
    assert asked == pytest.approx([1, 500, 999], abs=1e-6)


def test_a_model_of_another_schedule_is_asked_at_equal_signal_to_noise() -> None:
    linear, cosine = DDPMScheduler(), DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    asked: list[float] = []

    def asks(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        asked.append(t)
        return x, x

    for t in (5, 300, 900):
        matched(asks, cosine, linear)(X, t)
        low, high = int(asked[-1]), int(asked[-1]) + 1
        assert cosine.alphas_cumprod[low] >= linear.alphas_cumprod[t] >= cosine.alphas_cumprod[high]


def test_what_cannot_be_united_is_refused() -> None:
    with pytest.raises(ValueError, match="no model is relied on"):
        unite([United(model(told), reliability=0.0)])
    with pytest.raises(ValueError, match="latents of one shape"):
        unite([United(model(told)), United(model(lambda x, t: x[:, :2]))])(X, 3)  # noqa: ARG005
