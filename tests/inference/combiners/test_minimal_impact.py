"""Controls of minimal impact: nothing where nothing is said, and no order, batch or other half in them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sluice.inference.combiners.minimal_impact import minimal_impact
from sluice.inference.controlled import Controlled, decoded, encoder
from sluice.inference.denoisers import by_text, guided, halves
from sluice.training.balance import as_printed, inject, injection_gain, min_norm, unit_min_norm
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.minimal_impact import Rule, features_of
from sluice.training.networks.unet import decode, encode
from tests.inference.controls import SCALE, controlnet, given
from tests.small_unet import small_model


@pytest.fixture(scope="module")
def model() -> LatentModel:
    return small_model()


def both(
    model: LatentModel, controls: list[Controlled], rule: Rule = min_norm, rows: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    x, states, null, _ = given()
    told = halves(null, states[rows])
    return decoded(model.unet, minimal_impact(encoder(model.unet, told), told, controls, rule))(x[rows], 10)


@torch.no_grad()
def test_a_control_that_says_nothing_leaves_the_picture_to_the_prompt(model: LatentModel) -> None:
    x, states, null, image = given()
    silent = [Controlled(controlnet(model, None), image)]
    plain = guided(by_text(model.unet, states, null), SCALE)(x, 10)
    torch.testing.assert_close(torch.lerp(*both(model, silent), SCALE), plain)


@torch.no_grad()
@pytest.mark.parametrize("rule", [min_norm, unit_min_norm])
def test_one_control_is_injected_as_it_is(rule: Rule, model: LatentModel) -> None:
    x, states, null, image = given()
    network, told = controlnet(model, 1), halves(null, states)
    x, shown = torch.cat([x, x]), torch.cat([image, image])
    encoded = encode(model.unet, x, 10, told)
    features = features_of(network, x, 10, told, shown)
    wanted = encoded.with_features(
        tuple(inject(e, c, injection_gain(e, c)) for e, c in zip(encoded.features, features, strict=True))
    )
    found = torch.cat(both(model, [Controlled(network, image)], rule))
    torch.testing.assert_close(found, decode(model.unet, wanted), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_controls_do_not_see_their_batch_or_order(model: LatentModel) -> None:
    image = given()[3]
    controls = [Controlled(controlnet(model, seed), image.roll(seed, 2)) for seed in (1, 2, 3)]
    whole = both(model, controls, unit_min_norm)[1]
    torch.testing.assert_close(both(model, controls[::-1], unit_min_norm)[1], whole, rtol=1e-4, atol=1e-5)
    alone = [Controlled(own.network, own.image[:1]) for own in controls]
    first = both(model, alone, unit_min_norm, slice(1))[1]
    torch.testing.assert_close(first, whole[:1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_halves_of_guidance_are_balanced_apart(model: LatentModel) -> None:
    """What the null half predicts does not depend on the prompt that it shares a batch with."""
    x, states, null, image = given()
    controls = [Controlled(controlnet(model, seed), image) for seed in (1, 2)]
    nulls = []
    for told in (halves(null, states), halves(null, states + 3)):
        ground = minimal_impact(encoder(model.unet, told), told, controls)
        nulls.append(decoded(model.unet, ground)(x, 10)[0])
    torch.testing.assert_close(*nulls, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_printed_rule_takes_two(model: LatentModel) -> None:
    controls = [Controlled(controlnet(model, seed), given()[3]) for seed in (1, 2, 3)]
    assert both(model, controls[:2], as_printed)[1].isfinite().all()
    with pytest.raises(ValueError, match="two"):
        both(model, controls, as_printed)
