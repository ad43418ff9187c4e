"""That grounds nest: controls over encoders, over fusers, and nothing where nothing is said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sluice.inference.combiners.compose_and_conquer import compose_and_conquer
from sluice.inference.combiners.minimal_impact import minimal_impact
from sluice.inference.combiners.multi_controlnet import multi_controlnet
from sluice.inference.controlled import Controlled, Ground, apart_from_null, decoded, encoder
from sluice.inference.denoisers import by_text, guided, halves
from sluice.training.networks.fusers import Fusers
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.local_fuser import LocalFuser
from sluice.training.networks.soft_guidance import SoftGuidance
from tests.inference.controls import SCALE, controlnet, given
from tests.small_unet import small_model


@pytest.fixture(scope="module")
def model() -> LatentModel:
    """With soft guidance in its attention, which is plain attention where it is given no regions."""
    made = small_model()
    made.unet.set_attn_processor(SoftGuidance())
    return made


@pytest.fixture(scope="module")
def fusers(model: LatentModel) -> Fusers:
    """That have learned something: their zero convolutions are none."""
    torch.manual_seed(3)
    local = LocalFuser.from_controlnet(controlnet(model, 1), scale=4)
    local.encoder.set_attn_processor(SoftGuidance())
    for parameter in local.zeros.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return Fusers(local, GlobalFuser(width=6)).eval()


def conditions(image: Tensor) -> dict[str, Tensor]:
    embeddings = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(2))
    images = {"mask": image[:, :1].round(), "fg image": image, "bg image": image.flip(2)}
    return images | {"fg embedding": embeddings[0], "bg embedding": embeddings[1]}


def predicted(model: LatentModel, ground: Ground, x: Tensor) -> Tensor:
    return guided(decoded(model.unet, ground), SCALE)(x, 10)


@torch.no_grad()
def test_an_encoder_and_its_decoder_are_the_model(model: LatentModel) -> None:
    x, states, null, _ = given()
    ground = encoder(model.unet, halves(null, states))
    plain = guided(by_text(model.unet, states, null), SCALE)(x, 10)
    torch.testing.assert_close(predicted(model, ground, x), plain)


@torch.no_grad()
def test_fusers_that_have_learned_nothing_locally_change_nothing(model: LatentModel) -> None:
    x, states, null, image = given()
    told = halves(null, states)
    local = LocalFuser.from_controlnet(controlnet(model, None), scale=4).eval()
    depths = {name: value for name, value in conditions(image).items() if "embedding" not in name}
    ground = compose_and_conquer(model.unet, Fusers(local, None), told, depths)
    plain = predicted(model, encoder(model.unet, told), x)
    torch.testing.assert_close(predicted(model, ground, x), plain, rtol=1e-4, atol=1e-5)
    both = Fusers(local, GlobalFuser(width=6).eval())
    ground = compose_and_conquer(model.unet, both, told, conditions(image))
    assert not torch.allclose(predicted(model, ground, x), plain, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("combine", [minimal_impact, multi_controlnet])
def test_controls_over_fusers_of_nothing_are_controls_over_the_base(
    model: LatentModel, combine: type[minimal_impact]
) -> None:
    x, states, null, image = given()
    told = halves(null, states)
    controls = [Controlled(controlnet(model, seed), image.roll(seed, 2)) for seed in (1, 2)]
    local = LocalFuser.from_controlnet(controlnet(model, None), scale=4).eval()
    depths = {name: value for name, value in conditions(image).items() if "embedding" not in name}
    fused = compose_and_conquer(model.unet, Fusers(local, None), told, depths)
    over_fusers = combine(fused, told, controls)
    over_base = combine(encoder(model.unet, told), told, controls)
    torch.testing.assert_close(predicted(model, over_fusers, x), predicted(model, over_base, x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_over_fusers_a_control_is_balanced_against_what_they_made_and_sees_the_text_alone(
    model: LatentModel, fusers: Fusers
) -> None:
    x, states, null, image = given()
    told = halves(null, states)
    seen: list[int] = []
    network = controlnet(model, 1)
    network.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["encoder_hidden_states"].shape[1]), with_kwargs=True
    )
    fused = compose_and_conquer(model.unet, fusers, told, conditions(image))
    ground = minimal_impact(fused, told, [Controlled(network, image)])
    twice = torch.cat([x, x])
    before, after = fused(twice, 10), ground(twice, 10)
    assert seen == [5]
    assert before.states.shape[1] == 5 + 8
    plain = encoder(model.unet, told)(twice, 10)
    for e, with_control, base in zip(before.features, after.features, plain.features, strict=True):
        assert not torch.allclose(e, base, atol=1e-4)
        added = (with_control - e).flatten(1)
        assert ((with_control.flatten(1) * e.flatten(1)).sum(dim=1) >= -1e-3 * added.norm(dim=1)).all()


@pytest.mark.parametrize("combine", [multi_controlnet, minimal_impact])
@torch.no_grad()
def test_apart_from_the_null_half_fusers_and_controls_are_heard(
    model: LatentModel, fusers: Fusers, combine: type[minimal_impact]
) -> None:
    """Unite takes away a null prediction: the base's, where all but the text is heard by the other one alone."""
    x, states, null, image = given()
    controls = [Controlled(controlnet(model, seed), image) for seed in (1, 2)]

    def nested(told: Tensor) -> Ground:
        return combine(compose_and_conquer(model.unet, fusers, told, conditions(image)), told, controls)

    untold, own = apart_from_null(model.unet, nested(states), null)(x, 10)
    plain_untold, plain = by_text(model.unet, states, null)(x, 10)
    heard_untold, heard = decoded(model.unet, nested(halves(null, states)))(x, 10)
    torch.testing.assert_close(untold, plain_untold)
    torch.testing.assert_close(own, heard, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(heard_untold, plain_untold, atol=1e-3)
    assert not torch.allclose(heard, plain, atol=1e-3)


@torch.no_grad()
def test_a_nested_picture_does_not_see_its_batch(model: LatentModel, fusers: Fusers) -> None:
    x, states, null, image = given()
    networks = [controlnet(model, seed) for seed in (1, 2)]

    def nested(rows: slice) -> Tensor:
        told = halves(null, states[rows])
        own = {name: value[rows] for name, value in conditions(image).items()}
        controls = [Controlled(network, image[rows]) for network in networks]
        return predicted(
            model, minimal_impact(compose_and_conquer(model.unet, fusers, told, own), told, controls), x[rows]
        )

    torch.testing.assert_close(nested(slice(1)), nested(slice(None))[:1], rtol=1e-4, atol=1e-4)
