"""Dependent conditions: gradients against differences, and what they come to in the limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from sluice.inference.combiners import zmagic
from sluice.inference.combiners.cagrad import cagrad
from sluice.inference.combiners.freedom import Condition, constant, freedom_step, pull, relative
from sluice.inference.combiners.zmagic import Curvature, Dependence, guided_score, zmagic_step
from sluice.inference.sampler import Form, Moment, clean_estimate, moments, no_noise, sample, step_along

PATH = moments(DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False), 10)
AT, AFTER = PATH[4], PATH[5]
MIX = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64) / 6


def denoiser(x: Tensor, t: int) -> Tensor:
    return torch.tanh(torch.nn.functional.conv2d(x, MIX, padding=1) + t / 1000)


def normal(seed: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, 4, 5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def towards(seed: int) -> Callable[[Tensor], Tensor]:
    wanted = normal(seed, 1)
    return lambda clean: (clean - wanted).pow(2).flatten(1).sum(dim=1).add(1).sqrt()


CONDITIONS = [Condition(towards(seed), constant(0.3)) for seed in (11, 12, 13)]


def differences(value: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor) -> Tensor:
    """The derivative along a direction, `(batch,)`, by central differences."""
    return (value(x + 1e-5 * direction) - value(x - 1e-5 * direction)) / 2e-5


def dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).flatten(1).sum(dim=1)


def log_likelihood(condition: Condition, x: Tensor, at: Moment) -> Tensor:
    return -0.3 / at.beta * condition.energy(clean_estimate(x, denoiser(x, at.t), at.abar))


def test_a_pull_is_the_gradient_of_its_energy() -> None:
    x, direction = normal(0).requires_grad_(), normal(1)
    found = pull(x, denoiser(x, AT.t), CONDITIONS[0], AT)
    wanted = differences(lambda x: log_likelihood(CONDITIONS[0], x, AT), x.detach(), direction)
    torch.testing.assert_close(dot(found, direction), wanted, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("form", ["ancestral", "score"])
@pytest.mark.parametrize(("curvature", "tolerance"), [("exact", 1e-6), ("finite_difference", 1e-3)])
def test_the_second_term_is_the_whole_derivative_of_what_the_second_condition_sees(
    curvature: Curvature, tolerance: float, form: Form
) -> None:
    x, z, direction = normal(0), normal(2), normal(1)

    def first_pull(x: Tensor) -> Tensor:
        seen = x.detach().requires_grad_()
        return pull(seen, denoiser(seen, AT.t), CONDITIONS[0], AT)

    def seen_by_second(x: Tensor) -> Tensor:
        moved = step_along(x, -denoiser(x, AT.t) / AT.sigma + first_pull(x), AT, z, form)
        return log_likelihood(CONDITIONS[1], moved, AFTER)

    how = Dependence(curvature=curvature, most_turn=math.inf, form=form)
    with torch.enable_grad():
        _, both = guided_score(denoiser, CONDITIONS[:2], x, AT, AFTER, z, how)
    wanted = differences(seen_by_second, x, direction)
    torch.testing.assert_close(dot(both - first_pull(x), direction), wanted, rtol=tolerance, atol=tolerance)


def test_curvature_turns_a_pull_by_so_much_of_its_own_length_and_no_more() -> None:
    x, z = normal(0)[:1], normal(2)[:1]
    strong = [Condition(own.energy, constant(1e3)) for own in CONDITIONS[:2]]

    def turned(most: float) -> torch.Tensor:
        with torch.enable_grad():
            straight, own = (
                guided_score(denoiser, strong, x, AT, AFTER, z, Dependence(most_turn=turn))[1] for turn in (0, most)
            )
        return own - straight

    half, whole, free = (turned(most) for most in (0.5, 1.0, math.inf))
    assert 2 * whole.norm() < free.norm()
    torch.testing.assert_close(2 * half, whole)
    torch.testing.assert_close(whole / whole.norm(), free / free.norm())


def test_one_condition_is_its_own_pull_and_none_is_none() -> None:
    x, z = normal(0), normal(2)
    seen = x.clone().requires_grad_()
    alone = pull(seen, denoiser(seen, AT.t), CONDITIONS[0], AT)
    assert torch.equal(guided_score(denoiser, CONDITIONS[:1], x, AT, AFTER, z, Dependence())[1], alone)
    plain = sample(zmagic_step(denoiser, [], PATH), x, PATH, no_noise)
    summed = sample(freedom_step(denoiser, []), x, PATH, no_noise)
    torch.testing.assert_close(plain, summed)


def test_in_steps_of_no_size_it_is_freedoms_sum() -> None:
    """There the second condition sees what the first one saw: with beta -> 0, xh is x."""
    small = Moment(AT.t, AT.t, AT.abar.double(), AT.abar.double() * (1 + 1e-7))
    weak = [Condition(c.energy, constant(1e-7)) for c in CONDITIONS[:2]]
    x = normal(0)
    both = guided_score(denoiser, weak, x, small, small, torch.zeros_like(x), Dependence())[1]
    seen = x.clone().requires_grad_()
    eps = denoiser(seen, small.t)
    wanted = pull(seen, eps, weak[0], small) + pull(seen, eps, weak[1], small)
    torch.testing.assert_close(both, wanted, rtol=1e-4, atol=1e-6)


def test_where_the_second_sees_what_the_first_saw_it_is_freedoms_sum_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `xh := x` at the same t."""
    monkeypatch.setattr(zmagic, "step_along", lambda x, *_: x)
    monkeypatch.setattr(zmagic, "shares", lambda *_: (1.0, 0.0, 0.0))
    x = normal(0)
    both = guided_score(denoiser, CONDITIONS[:2], x, AT, AT, normal(2), Dependence())[1]
    seen = x.clone().requires_grad_()
    eps = denoiser(seen, AT.t)
    assert torch.equal(both, pull(seen, eps, CONDITIONS[0], AT) + pull(seen, eps, CONDITIONS[1], AT))


def test_three_conditions_are_all_ordered_pairs_without_conflict() -> None:
    x, z = normal(0), normal(2)
    pairs = [
        guided_score(denoiser, [CONDITIONS[i], CONDITIONS[j]], x, AT, AFTER, z, Dependence())[1]
        for i in range(3)
        for j in range(3)
        if i != j
    ]
    found = guided_score(denoiser, CONDITIONS, x, AT, AFTER, z, Dependence(c=0.4))[1]
    torch.testing.assert_close(found, cagrad(pairs, 0.4))


@pytest.mark.parametrize("count", [2, 3])
def test_a_picture_does_not_see_its_batch(count: int) -> None:
    x, z = normal(0, 3), normal(2, 3)
    whole = guided_score(denoiser, CONDITIONS[:count], x, AT, AFTER, z, Dependence())[1]
    alone = guided_score(denoiser, CONDITIONS[:count], x[1:2], AT, AFTER, z[1:2], Dependence())[1]
    torch.testing.assert_close(alone, whole[1:2], rtol=1e-6, atol=1e-6)


def test_guidance_brings_a_picture_nearer_to_what_it_is_asked_for() -> None:
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False)

    def ideal(x: Tensor, t: int) -> Tensor:
        """Of data that are standard normal themselves."""
        return (1 - scheduler.alphas_cumprod[t]).sqrt() * x

    path, x, energy = moments(scheduler, 50), normal(0), towards(11)
    asked = [Condition(energy, relative(0.3), silent_from=200)]
    plain, guided, summed = (
        sample(
            step, x, path, lambda x, number: torch.randn(x.shape, generator=torch.Generator().manual_seed(number)).to(x)
        )
        for step in (zmagic_step(ideal, [], path), zmagic_step(ideal, asked, path), freedom_step(ideal, asked))
    )
    assert (energy(guided) < 0.8 * energy(plain)).all()
    torch.testing.assert_close(guided, summed)


def test_from_its_last_timestep_on_a_condition_is_silent() -> None:
    x = normal(0).requires_grad_()
    silent = Condition(towards(11), constant(1.0), silent_from=AT.t)
    assert not pull(x, denoiser(x, AT.t), silent, AT).any()


def test_a_second_condition_that_is_silent_leaves_the_first_alone_in_half_precision_too() -> None:
    """Its pull has no length there, and 1e-12 is 0."""
    x, z = normal(0).half(), normal(2).half()
    first = Condition(lambda clean: clean.square().flatten(1).mean(dim=1), constant(0.3))
    silent = replace(first, silent_from=AT.t, left_out=[])

    def half(x: Tensor, t: int) -> Tensor:
        return torch.tanh(torch.nn.functional.conv2d(x, MIX.half(), padding=1) + t / 1000)

    with torch.enable_grad():
        _, both = guided_score(half, [first, silent], x, AT, AFTER, z, Dependence())
        seen = x.clone().requires_grad_()
        alone = pull(seen, half(seen, AT.t), first, AT)
    assert (both.dtype, silent.left_out) == (torch.float16, [])
    torch.testing.assert_close(both, alone)


@pytest.mark.parametrize("curvature", ["exact", "finite_difference"])
@pytest.mark.parametrize("count", [2, 3])
def test_what_is_no_number_is_noted_once_for_the_condition_that_it_is_of(count: int, curvature: Curvature) -> None:
    def guided(first: float) -> tuple[Tensor, list[list[tuple[int, int]]]]:
        conditions = [replace(own, left_out=[]) for own in CONDITIONS[:count]]
        conditions[0] = replace(conditions[0], rho=lambda _, __, gradient: torch.tensor([0.3, first]).to(gradient))
        how = Dependence(curvature=curvature)
        found = guided_score(denoiser, conditions, normal(0), AT, AFTER, normal(1), how)[1]
        return found, [own.left_out for own in conditions]

    broken, noted = guided(math.nan)
    assert noted == [[(AT.t, 1)], *[[]] * (count - 1)]
    whole, _ = guided(0.3)
    silent, _ = guided(0.0)
    torch.testing.assert_close(broken[0], whole[0])
    torch.testing.assert_close(broken[1], silent[1])
