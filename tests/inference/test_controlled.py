"""Denoisers under control: what diffusers does with plain ControlNets, and nothing where nothing is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import ControlNetModel
from torch import Tensor

from sluice.inference.controlled import Controlled, added, composed, minimal_impact
from sluice.inference.denoisers import guided
from sluice.training.balance import unit_min_norm
from sluice.training.methods.compose_and_conquer import Fusers
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.networks.soft_guidance import SoftGuidance
from tests.small_unet import small_model

SCALE = 3.0


@pytest.fixture(scope="module")
def model() -> LatentModel:
    return small_model()


def controlnet(model: LatentModel, seed: int | None) -> Any:
    network = ControlNetModel.from_unet(model.unet, conditioning_embedding_out_channels=(8, 8, 16)).eval()
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network


def given() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, states = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 5, 6, generator=generator)
    return x, states, torch.randn(1, 5, 6, generator=generator), torch.rand(2, 3, 32, 32, generator=generator)


@torch.no_grad()
def test_plain_controls_are_added_as_diffusers_adds_them(model: LatentModel) -> None:
    x, states, null, image = given()
    networks = [controlnet(model, seed) for seed in (1, 2)]
    controls = [Controlled(networks[0], image, 0.5), Controlled(networks[1], image.flip(3), 1.5)]
    halves = []
    for told in (null.expand_as(states), states):
        outs = [c.network(x, 10, told, c.image, conditioning_scale=c.strength, return_dict=False) for c in controls]
        halves.append(
            model.unet(
                x,
                10,
                told,
                down_block_additional_residuals=[a + b for a, b in zip(outs[0][0], outs[1][0], strict=True)],
                mid_block_additional_residual=outs[0][1] + outs[1][1],
            ).sample
        )
    wanted = halves[0] + SCALE * (halves[1] - halves[0])
    torch.testing.assert_close(added(model, states, null, controls, SCALE)(x, 10), wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_control_that_says_nothing_leaves_the_picture_to_the_prompt(model: LatentModel) -> None:
    x, states, null, image = given()
    silent = [Controlled(controlnet(model, None), image)]
    plain = guided(model.unet, states, null, SCALE)(x, 10)
    for denoiser in (minimal_impact(model, states, null, silent, SCALE), added(model, states, null, silent, SCALE)):
        torch.testing.assert_close(denoiser(x, 10), plain)


@torch.no_grad()
def test_controls_of_minimal_impact_do_not_see_their_batch_or_order(model: LatentModel) -> None:
    x, states, null, image = given()
    controls = [Controlled(controlnet(model, seed), image.roll(seed, 2), 1.0) for seed in (1, 2, 3)]
    whole = minimal_impact(model, states, null, controls, SCALE, unit_min_norm)(x, 10)
    backwards = minimal_impact(model, states, null, controls[::-1], SCALE, unit_min_norm)(x, 10)
    torch.testing.assert_close(backwards, whole, rtol=1e-4, atol=1e-5)
    alone = [Controlled(c.network, c.image[:1]) for c in controls]
    first = minimal_impact(model, states[:1], null, alone, SCALE, unit_min_norm)(x[:1], 10)
    torch.testing.assert_close(first, whole[:1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_fusers_that_have_learned_nothing_locally_change_nothing(model: LatentModel) -> None:
    x, states, null, image = given()
    plain = guided(model.unet, states, null, SCALE)(x, 10)
    processors = dict(model.unet.attn_processors)
    model.unet.set_attn_processor(SoftGuidance())
    local = LocalFuser.from_controlnet(controlnet(model, None), scale=4).eval()
    conditions = {"mask": image[:, :1], "fg image": image, "bg image": image}
    made = composed(model, Fusers(local, None), states, null, conditions, SCALE)(x, 10)
    torch.testing.assert_close(made, plain, rtol=1e-4, atol=1e-5)
    conditions |= {"fg embedding": torch.randn(2, 6), "bg embedding": torch.randn(2, 6)}
    both = composed(model, Fusers(local, GlobalFuser(width=6).eval()), states, null, conditions, SCALE)(x, 10)
    assert not torch.allclose(both, plain, atol=1e-3)
    model.unet.set_attn_processor(processors)
