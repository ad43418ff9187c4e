"""Added controls: what diffusers does with plain ControlNets, and the balanced baseline by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sluice.inference.combiners.multi_controlnet import BASELINES, multi_controlnet
from sluice.inference.controlled import Controlled, decoded, encoder, features_at
from sluice.inference.denoisers import by_text, guided, halves
from sluice.training.balance import combined, min_norm
from sluice.training.networks.latent_model import LatentModel
from tests.inference.controls import SCALE, controlnet, given
from tests.small_unet import small_model


@pytest.fixture(scope="module")
def model() -> LatentModel:
    return small_model()


def added(model: LatentModel, controls: list[Controlled]) -> Tensor:
    x, states, null, _ = given()
    told = halves(null, states)
    return guided(decoded(model.unet, multi_controlnet(encoder(model.unet, told), told, controls)), SCALE)(x, 10)


@torch.no_grad()
def test_plain_controls_are_added_as_diffusers_adds_them(model: LatentModel) -> None:
    x, states, null, image = given()
    networks = [controlnet(model, seed) for seed in (1, 2)]
    controls = [Controlled(networks[0], image, 0.5), Controlled(networks[1], image.flip(3), 1.5)]
    predictions = []
    for told in (null.expand_as(states), states):
        outs = [c.network(x, 10, told, c.image, conditioning_scale=c.strength, return_dict=False) for c in controls]
        predictions.append(
            model.unet(
                x,
                10,
                told,
                down_block_additional_residuals=[a + b for a, b in zip(outs[0][0], outs[1][0], strict=True)],
                mid_block_additional_residual=outs[0][1] + outs[1][1],
            ).sample
        )
    wanted = predictions[0] + SCALE * (predictions[1] - predictions[0])
    torch.testing.assert_close(added(model, controls), wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_control_that_says_nothing_adds_nothing(model: LatentModel) -> None:
    x, states, null, image = given()
    plain = guided(by_text(model.unet, states, null), SCALE)(x, 10)
    torch.testing.assert_close(added(model, [Controlled(controlnet(model, None), image)]), plain)


@torch.no_grad()
def test_balanced_controls_are_their_combination_without_a_gain(model: LatentModel) -> None:
    x, states, null, image = given()
    told, twice = halves(null, states), torch.cat([x, x])
    controls = [Controlled(controlnet(model, seed), image) for seed in (1, 2)]
    plain = encoder(model.unet, told)
    found = multi_controlnet(plain, told, controls, min_norm)(twice, 10).features
    features = zip(*features_at(controls, twice, 10, told), strict=True)
    for e, own, made in zip(plain(twice, 10).features, features, found, strict=True):
        torch.testing.assert_close(made, e + combined(own, min_norm(own)))


def test_every_baseline_speaks_with_two_voices() -> None:
    assert len(BASELINES) == 8
    assert {sum(own.strengths) for own in BASELINES.values()} == {2.0}
    for name, own in BASELINES.items():
        assert (own.balanced, own.rebalanced) == (name.count("*") in {1, 3}, name.count("*") in {2, 3})
