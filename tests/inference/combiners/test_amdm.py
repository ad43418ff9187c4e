"""Aggregated models: identities, coefficients, and how far each is drawn back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from sluice.inference.combiners.amdm import Aggregation, aggregate, combined, drawn_back, slerp
from sluice.inference.sampler import ancestral_step, ddim, ddim_step, moments, sample

STEPS = 6


def scheduler() -> Any:
    return DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False)


def one(x: Tensor, t: int) -> Tensor:
    return torch.sin(2 * x + t / 300)


def other(x: Tensor, t: int) -> Tensor:
    return torch.cos(x) * t / 1000


def noise(seed: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def run(denoisers: list[Any], starts: list[Tensor], aggregation: Aggregation) -> Tensor:
    paths = [moments(scheduler(), STEPS) for _ in denoisers]
    return aggregate([ddim_step(denoiser) for denoiser in denoisers], starts, paths, aggregation)


def test_no_aggregated_step_is_the_first_model() -> None:
    x = noise(0)
    found = run([one, other], [x, x], Aggregation(steps=0))
    assert torch.equal(found, ddim(one, x, scheduler(), STEPS))


@pytest.mark.parametrize("models", [2, 3])
def test_the_same_model_several_times_under_slerp_is_that_model(models: int) -> None:
    x = noise(0)
    found = run([one] * models, [x] * models, Aggregation(3, (0.5,) * (models - 1)))
    torch.testing.assert_close(found, ddim(one, x, scheduler(), STEPS), rtol=1e-4, atol=1e-4)


def test_as_printed_equal_states_grow() -> None:
    x = noise(0)
    found = combined([x, x], Aggregation(weights=(0.5,), how="printed"))
    torch.testing.assert_close(found, (0.5 + 0.75**0.5) * x)


@pytest.mark.parametrize("weights", [(0.5,), (0.47, 0.5), (0.3, 0.6, 0.9)])
def test_the_squares_of_printed_coefficients_sum_to_one(weights: tuple[float, ...]) -> None:
    basis = torch.eye(len(weights) + 1)
    found = combined([row[None] for row in basis], Aggregation(weights=weights, how="printed"))
    assert float(found.square().sum()) == pytest.approx(1)
    assert found.flatten()[0] == pytest.approx(torch.tensor(weights).prod().item())


def test_slerp_of_orthogonal_states_is_as_printed() -> None:
    states = [torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])]
    printed = combined(states, Aggregation(weights=(0.45,), how="printed"))
    torch.testing.assert_close(slerp(*states, 0.45), printed)


def test_slerp_keeps_lengths_and_does_not_see_the_batch() -> None:
    a, b = noise(0), noise(1)
    b = b * (a.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).reshape(-1, 1, 1, 1)
    found = slerp(a, b, 0.4)
    torch.testing.assert_close(found.flatten(1).norm(dim=1), a.flatten(1).norm(dim=1))
    torch.testing.assert_close(slerp(a[:1], b[:1], 0.4), found[:1])


def test_an_absolute_pull_never_goes_beyond_a_models_own_state() -> None:
    together, own = noise(0), noise(1)
    assert torch.equal(drawn_back(together, own, 100.0, absolute=True), own)
    little = drawn_back(together, own, 0.1, absolute=True)
    torch.testing.assert_close((little - together).flatten(1).norm(dim=1), torch.full((2,), 0.1 * 16.0))
    assert torch.equal(drawn_back(own, own, 0.5, absolute=True), own)


def test_a_fraction_of_one_leaves_every_model_to_itself() -> None:
    x = noise(0)
    found = run([one, other], [x, x], Aggregation(3, (0.5,), eta=(1.0, 1.0)))
    torch.testing.assert_close(found, ddim(one, x, scheduler(), STEPS), rtol=1e-5, atol=1e-5)


def seeded(x: Tensor, number: int) -> Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(100 + number))


def test_noisy_steps_of_one_model_several_times_are_that_models() -> None:
    """The noise of a step is the same for all, so that equal states stay equal."""
    x, path = noise(0), moments(scheduler(), STEPS)
    found = aggregate([ancestral_step(one)] * 2, [x, x], [path, path], Aggregation(3), seeded)
    alone = sample(ancestral_step(one), x, path, seeded)
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-4)
    apart = aggregate([ancestral_step(one), ddim_step(other)], [x, x], [path, path], Aggregation(0), seeded)
    assert torch.equal(apart, alone)


def test_a_picture_does_not_see_its_batch() -> None:
    starts = [noise(0, 3), noise(1, 3)]
    whole = run([one, other], starts, Aggregation(absolute=True, eta=(0.3, 0.4)))
    alone = run([one, other], [start[1:2] for start in starts], Aggregation(absolute=True, eta=(0.3, 0.4)))
    torch.testing.assert_close(alone, whole[1:2])


def test_what_does_not_belong_together_is_refused() -> None:
    x = noise(0)
    with pytest.raises(ValueError, match="2 models take 1 weights, not 2"):
        run([one, other], [x, x], Aggregation(weights=(0.5, 0.5)))
    with pytest.raises(ValueError, match="one eta, one start and one path"):
        run([one, other], [x, x], Aggregation(eta=(0.5,)))
    with pytest.raises(ValueError, match="latents of one shape"):
        run([one, other], [x, x[:, :2]], Aggregation())
