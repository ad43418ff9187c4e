"""Controls injected with minimal impact: what the U-Net sees, held weights, and the loss on the control's own copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import ControlNetModel
from torch import Tensor

from sluice.training.balance import unit_min_norm
from sluice.training.conservativity import by_differences, by_double_backward, by_forward_mode, rademacher
from sluice.training.networks.minimal_impact import Features, balance, features_of, injected
from sluice.training.networks.unet import Encoded, decode, encode
from tests.small_unet import small_unet


@pytest.fixture(scope="module")
def unet() -> Any:
    return small_unet((8, 8)).double().requires_grad_(False)


def controlnet_of(unet: Any, seed: int | None = None) -> Any:
    """A ControlNet as it begins, or with a seed one that says something."""
    network = ControlNetModel.from_unet(unet.float(), conditioning_embedding_out_channels=(8, 16)).double()
    unet.double()
    if seed is not None:
        torch.manual_seed(seed)
        for parameter in network.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
    return network.eval()


def given() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, states = torch.randn(2, 4, 4, 4, generator=generator), torch.randn(2, 3, 6, generator=generator)
    return x.double(), torch.tensor([10, 700]), states.double(), torch.rand(2, 3, 8, 8, generator=generator).double()


def both(unet: Any, *seeds: int) -> tuple[Encoded, list[Features]]:
    x, t, states, control = given()
    return encode(unet, x, t, states), [
        features_of(controlnet_of(unet, seed), x, t, states, control.roll(seed, 0)) for seed in seeds
    ]


@torch.no_grad()
def test_a_control_that_has_learned_nothing_changes_nothing(unet: Any) -> None:
    x, t, states, control = given()
    encoded = encode(unet, x, t, states)
    nothing = features_of(controlnet_of(unet), x, t, states, control)
    made = injected(encoded, [nothing], balance(encoded, [nothing]))
    assert torch.equal(decode(unet, made), decode(unet, encoded))


def test_and_learns_from_the_first_step(unet: Any) -> None:
    x, t, states, control = given()
    network = controlnet_of(unet)
    encoded = encode(unet, x, t, states)
    features = features_of(network, x, t, states, control)
    decode(unet, injected(encoded, [features], balance(encoded, [features]))).square().sum().backward()
    for name, parameter in network.named_parameters():
        if "controlnet_" in name and "cond_embedding" not in name:
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all(), name
            assert float(parameter.grad.abs().max()) > 0, name


@torch.no_grad()
def test_every_layer_keeps_its_direction(unet: Any) -> None:
    encoded, controls = both(unet, 1, 2)
    made = injected(encoded, controls, balance(encoded, controls))
    for before, after in zip(encoded.features, made.features, strict=True):
        assert ((before * after).flatten(1).sum(dim=1) >= 0).all()
        assert not torch.equal(before, after)


@torch.no_grad()
def test_a_strength_of_nothing_takes_a_control_away(unet: Any) -> None:
    encoded, controls = both(unet, 1, 2)
    weighed = balance(encoded, controls, unit_min_norm)
    none = injected(encoded, controls, weighed, [0.0, 0.0])
    assert torch.equal(decode(unet, none), decode(unet, encoded))
    half, whole = (injected(encoded, controls, weighed, [s, s]) for s in (0.5, 1.0))
    for before, some, all_ in zip(encoded.features, half.features, whole.features, strict=True):
        torch.testing.assert_close(some - before, (all_ - before) / 2)


@torch.no_grad()
def test_the_order_of_controls_does_not_matter(unet: Any) -> None:
    encoded, controls = both(unet, 1, 2, 3)
    one = injected(encoded, controls, balance(encoded, controls), [1.0, 0.5, 2.0])
    backwards = controls[::-1]
    other = injected(encoded, backwards, balance(encoded, backwards), [2.0, 0.5, 1.0])
    torch.testing.assert_close(decode(unet, other), decode(unet, one))


def test_a_control_for_another_unet_is_refused(unet: Any) -> None:
    encoded, (features,) = both(unet, 1)
    with pytest.raises(ValueError, match="was given"):
        balance(encoded, [features[1:]])


def test_the_routes_to_conservativity_agree_on_the_controls_own_copy(unet: Any) -> None:
    x, t, states, control = given()
    network = controlnet_of(unet, 1)
    encoded = encode(unet, x, t, states)
    held = balance(encoded, [features_of(network, x, t, states, control)])

    def predict(seen: Tensor) -> Tensor:
        return decode(unet, injected(encoded, [features_of(network, seen, t, states, control)], held))

    probe = rademacher(x, torch.Generator().manual_seed(2))
    gradients = []
    for loss in (
        by_double_backward(predict, x, probe),
        by_forward_mode(predict, x, probe),
        by_differences(predict, x, probe, 1e-5),
    ):
        assert (loss > 0).all()
        gradients.append(torch.autograd.grad(loss.sum(), list(network.parameters()), allow_unused=True))
    for one, other, third in zip(*gradients, strict=True):
        if one is not None:
            torch.testing.assert_close(other, one, rtol=1e-7, atol=1e-9)
            torch.testing.assert_close(third, one, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def split(unet: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Full Jacobians of one prediction: of the whole, of the U-Net's own copy of x, and of the control's."""
    x, t, states, control = (value[:1] for value in given())
    network = controlnet_of(unet, 1).requires_grad_(False)
    held = balance(encode(unet, x, t, states), [features_of(network, x, t, states, control)])

    def predict(own: Tensor, seen: Tensor) -> Tensor:
        features = features_of(network, seen.reshape(x.shape), t, states, control)
        encoded = encode(unet, own.reshape(x.shape), t, states)
        return decode(unet, injected(encoded, [features], held)).flatten()

    flat = x.flatten()
    whole = torch.autograd.functional.jacobian(lambda x: predict(x, x), flat)
    own, control_ = torch.autograd.functional.jacobian(predict, (flat, flat))
    return whole, own, control_


def test_the_jacobian_splits_where_the_weights_are_held(split: tuple[Tensor, Tensor, Tensor]) -> None:
    """MIControlNet, Proposition 4.1."""
    whole, own, control = split
    torch.testing.assert_close(whole, own + control)
    assert float(control.norm()) > 0.01 * float(own.norm())


def test_what_the_control_adds_to_the_loss_is_bounded_by_the_simple_loss(split: tuple[Tensor, Tensor, Tensor]) -> None:
    """MIControlNet, Eqs. 16 and 23, Theorem 4.1."""
    whole, own, control = split

    def asym(j: Tensor) -> float:
        return float((j @ j.mT).trace() - (j @ j).trace())

    added = float((2 * own @ control.mT - 2 * own @ control).trace()) + asym(control)
    assert added == pytest.approx(asym(whole) - asym(own))
    simple = asym(control)
    assert simple > 0
    assert added <= 2 * 2**0.5 * float(own.norm()) * simple**0.5 + simple
