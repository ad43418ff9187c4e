"""Guidance against its formula, on U-Nets whose predictions are known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from sluice.inference.controlled import decoded, encoder
from sluice.inference.denoisers import (
    alpha_at,
    by_boxes,
    by_class,
    by_nothing,
    by_picture,
    by_text,
    guided,
    inpainting,
    noise_of,
)
from tests.small_unet import WIDTH, small_unet

X = torch.ones(2, 4, 2, 2)


def per_sample(values: Tensor) -> SimpleNamespace:
    """A prediction that is one number everywhere."""
    return SimpleNamespace(sample=values.reshape(-1, 1, 1, 1).expand(-1, 4, 2, 2))


def test_guidance_goes_beyond_the_conditional_prediction() -> None:
    def unet(x: Tensor, _: int, states: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=x * states.mean(dim=(1, 2))[:, None, None, None])

    x, states, null = torch.ones(2, 4, 2, 2), torch.full((2, 3, 5), 2.0), torch.zeros(1, 3, 5)
    states[1] = 4
    assert guided(by_text(unet, states, null), 7.5)(x, 0)[:, 0, 0, 0].tolist() == [15.0, 30.0]
    assert guided(by_text(unet, states, null), 0.0)(x, 0).abs().max() == 0


def test_a_class_is_guided_against_the_null_class_and_its_variance_left_out() -> None:
    def unet(x: Tensor, _: int, classes: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=torch.cat([x * classes[:, None, None, None], x * 99], dim=1))

    found = guided(by_class(unet, torch.tensor([3, 5]), 1), 2.0)(X, 0)
    assert found.shape == X.shape
    assert found[:, 0, 0, 0].tolist() == [1 + 2 * 2, 1 + 2 * 4]


def test_boxes_are_guided_against_the_null_text_without_boxes() -> None:
    def unet(
        _: Tensor, __: int, states: Tensor, cross_attention_kwargs: dict[str, dict[str, Tensor]]
    ) -> SimpleNamespace:
        boxes = cross_attention_kwargs.pop("gligen")
        assert boxes["boxes"].shape == (4, 3, 4)
        return per_sample(states[:, 0, 0] + boxes.pop("masks").sum(dim=1))

    boxes = {"boxes": torch.rand(2, 3, 4), "positive_embeddings": torch.rand(2, 3, 5), "masks": torch.ones(2, 3)}
    denoiser = guided(by_boxes(unet, torch.full((2, 7, 5), 10.0), torch.full((1, 7, 5), 8.0), boxes), 4.0)
    for _ in range(2):
        assert denoiser(X, 0)[:, 0, 0, 0].tolist() == [8 + 4 * 5.0] * 2


def test_a_picture_is_guided_against_an_empty_embedding() -> None:
    def unet(_: Tensor, __: int, states: Tensor, added_cond_kwargs: dict[str, list[Tensor]]) -> SimpleNamespace:
        (embeds,) = added_cond_kwargs["image_embeds"]
        assert embeds.shape == (4, 1, 5)
        return per_sample(states[:, 0, 0] + embeds[:, 0, 0])

    embeds = torch.tensor([[1.0] * 5, [3.0] * 5])
    found = guided(by_picture(unet, torch.full((2, 7, 5), 10.0), torch.full((1, 7, 5), 9.0), embeds), 2.0)(X, 0)
    assert found[:, 0, 0, 0].tolist() == [9 + 2 * 2.0, 9 + 2 * 4.0]


def test_inpainting_sees_latent_hole_and_rest_in_the_order_of_stable_diffusion() -> None:
    def unet(x: Tensor, t: int, _: Tensor) -> SimpleNamespace:
        assert x.shape == (2, 9, 2, 2)
        return SimpleNamespace(sample=x[:, :4] + 10 * x[:, 4:5] + 100 * x[:, 5:] + t)

    found = inpainting(unet, torch.zeros(2, 7, 5), torch.full((2, 1, 2, 2), 2.0), torch.full((2, 4, 2, 2), 3.0))(X, 4)
    assert torch.equal(found, torch.full_like(X, 1 + 20 + 300 + 4))


def test_without_a_condition_both_predictions_are_the_networks_at_any_scale() -> None:
    def unet(x: Tensor, t: int) -> SimpleNamespace:
        return SimpleNamespace(sample=torch.cat([x * t, x * 99], dim=1))

    assert torch.equal(guided(by_nothing(unet), 7.0)(X, 3), 3 * X)


def test_the_halves_of_guidance_do_not_see_each_other() -> None:
    def unet(x: Tensor, _: int, states: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=x * states[:, :1, :1, None])

    null, own = by_text(unet, torch.full((2, 3, 5), 4.0), torch.zeros(1, 3, 5))(X, 0)
    assert torch.equal(null, 0 * X)
    assert torch.equal(own, 4 * X)


def test_the_noise_of_other_predictions_is_what_they_were_made_of() -> None:
    x0, eps = torch.randn(2, 2, 4, 8, 8, dtype=torch.float64)
    for t in (0, 500, 500.25, 999):
        for kind in ("v_prediction", "sample"):
            scheduler = DDIMScheduler(prediction_type=kind, clip_sample=False)
            abar = alpha_at(scheduler, t)
            x = abar.sqrt() * x0 + (1 - abar).sqrt() * eps
            told = x0 if kind == "sample" else abar.sqrt() * eps - (1 - abar).sqrt() * x0
            found = noise_of(lambda *_, told=told: (told, told), scheduler)(x, t)
            torch.testing.assert_close(found, (eps, eps), rtol=1e-6, atol=1e-6)


def test_a_prediction_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="predicts `noise`; known are"):
        noise_of(lambda x, _: (x, x), SimpleNamespace(config=SimpleNamespace(prediction_type="noise")))


@torch.no_grad()
def test_of_a_learned_variance_the_noise_alone_is_taken() -> None:
    unet = small_unet(out_channels=8)
    x, states = torch.randn(2, 4, 8, 8), torch.randn(2, 5, WIDTH)
    null, own = by_text(unet, states, states[:1])(x, 10)
    torch.testing.assert_close(own, unet(x, 10, states).sample[:, :4])
    torch.testing.assert_close(null, unet(x, 10, states[:1].expand(2, -1, -1)).sample[:, :4])
    controlled = decoded(unet, encoder(unet, torch.cat([states[:1].expand(2, -1, -1), states])))
    torch.testing.assert_close(controlled(x, 10)[1], own)
