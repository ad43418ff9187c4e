"""Minimal-norm points against a quadratic program, and what each rule promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from sluice.training.balance import (
    MAX_GAIN,
    as_printed,
    combined,
    inject,
    injection_gain,
    min_norm,
    minimal_norm_weight,
    unit_min_norm,
    with_silent_mask,
)

Rule = Callable[[Sequence[Tensor]], Tensor]
ACUTE = -1e-9


def vectors(batch: int, n: int, width: int, seed: int = 0, spread: float = 0.3) -> list[Tensor]:
    """Random vectors in float64 whose norms differ by a factor of a few."""
    generator = torch.Generator().manual_seed(seed)
    norms = torch.exp(spread * torch.randn(n, batch, 1, generator=generator, dtype=torch.float64))
    return list(norms * torch.randn(n, batch, width, generator=generator, dtype=torch.float64))


def inner(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).flatten(1).sum(dim=1)


def quadratic_program(gram: np.ndarray) -> float:
    """The squared norm of the shortest vector of a hull, by scipy, from several starts."""
    n = len(gram)
    scale = gram.diagonal().max()
    found = [
        minimize(
            lambda w: w @ gram @ w / scale,
            start,
            jac=lambda w: 2 * gram @ w / scale,
            bounds=[(0, 1)] * n,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(n)},  # noqa: ARG005
            method="SLSQP",
            options={"ftol": 1e-16, "maxiter": 1000},
        ).fun
        for start in (np.full(n, 1 / n), np.eye(n)[gram.diagonal().argmin()])
    ]
    return float(min(found) * scale)


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("width", [2, 5, 40])
def test_the_shortest_vector_is_the_quadratic_programs(n: int, width: int) -> None:
    controls = vectors(20, n, width, seed=n)
    weights = min_norm(controls)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(20, dtype=torch.float64))
    point = combined(controls, weights)
    stacked = torch.stack(controls, dim=1)
    for gram, own in zip((stacked @ stacked.mT).numpy(), inner(point, point).tolist(), strict=True):
        assert own == pytest.approx(quadratic_program(gram), rel=1e-6, abs=1e-6 * gram.diagonal().max())


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("rule", [min_norm, unit_min_norm])
def test_what_is_combined_opposes_no_control(rule: Rule, n: int) -> None:
    controls = vectors(500, n, 3, seed=n)
    point = combined(controls, rule(controls))
    for control in controls:
        assert (inner(point, control) >= ACUTE * inner(control, control)).all()


def test_as_printed_the_rule_opposes_some() -> None:
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 2.0]])
    point = combined([one, other], as_printed([one, other]))
    torch.testing.assert_close(point, torch.tensor([[-0.5, 1.5]]))
    pairs = vectors(2000, 2, 2)
    opposed = inner(combined(pairs, as_printed(pairs)), pairs[0]) < 0
    assert 0.1 < float((opposed | (inner(combined(pairs, as_printed(pairs)), pairs[1]) < 0)).float().mean()) < 0.6


def test_two_are_weighed_alike_by_the_closed_form_and_by_the_hull() -> None:
    pairs = vectors(200, 2, 6)
    torch.testing.assert_close(min_norm(pairs)[:, 0], minimal_norm_weight(*pairs))


@pytest.mark.parametrize("rule", [min_norm, unit_min_norm])
def test_the_order_of_controls_does_not_matter(rule: Rule) -> None:
    controls = vectors(50, 4, 3, seed=3, spread=2.0)
    point = combined(controls, rule(controls))
    for order in permutations(range(4)):
        shuffled = [controls[k] for k in order]
        torch.testing.assert_close(combined(shuffled, rule(shuffled)), point)


@pytest.mark.parametrize("rule", [min_norm, unit_min_norm])
def test_a_sample_does_not_see_its_batch(rule: Rule) -> None:
    controls = vectors(10, 3, 7, seed=4)
    alone = torch.cat([rule([control[k : k + 1] for control in controls]) for k in range(10)])
    torch.testing.assert_close(rule(controls), alone)


@pytest.mark.parametrize("rule", [min_norm, unit_min_norm])
@pytest.mark.parametrize("share", [0.0, 1e-6, 9e-4])
def test_a_control_that_has_all_but_vanished_silences_no_other(rule: Rule, share: float) -> None:
    one, other = (v / v.norm(dim=1, keepdim=True) for v in vectors(20, 2, 5))
    torch.testing.assert_close(combined([one, share * other], rule([one, share * other])), one)


@pytest.mark.parametrize("rule", [min_norm, unit_min_norm])
def test_controls_fade_without_a_jump(rule: Rule) -> None:
    one, other, third = (v[:1] / v[:1].norm() for v in vectors(1, 3, 2, seed=1))
    other = -one + 0.1 * other  # nearly opposed, where a jump would be largest
    points = [
        combined(some, rule(some)) for r in np.geomspace(5e-4, 2e-2, 2000) for some in [[one, r * other, 0.5 * third]]
    ]
    steps = torch.cat(points).diff(dim=0).norm(dim=1)
    assert float(steps.max()) < 0.01


def test_the_unit_rule_is_as_long_as_the_longest_but_where_all_oppose() -> None:
    one, other = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    point = combined([one, other], unit_min_norm([one, other]))
    torch.testing.assert_close(point, 3 * torch.tensor([[0.5, 0.5]]).sqrt())
    nearly = torch.tensor([[-3.0, 1e-3]])
    assert float(combined([one, nearly], unit_min_norm([one, nearly])).norm()) < 0.02


@pytest.mark.parametrize("rule", [min_norm, unit_min_norm, as_printed])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_nothing_combined_with_nothing_is_nothing(rule: Rule, dtype: torch.dtype) -> None:
    nothing = [torch.zeros(2, 4, 3, 3, dtype=dtype)] * 2
    made = combined(nothing, rule(nothing))
    assert made.dtype == dtype
    assert (made == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_control_of_zeros_has_the_largest_gain_and_a_finite_gradient(dtype: torch.dtype) -> None:
    feature = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    control = torch.zeros_like(feature).requires_grad_()
    gain = injection_gain(feature, control)
    assert gain.tolist() == pytest.approx([MAX_GAIN] * 2)
    injected = inject(feature, control, gain)
    assert injected.dtype == dtype
    assert torch.equal(injected, feature)
    (gradient,) = torch.autograd.grad(injected.sum(), control)
    torch.testing.assert_close(gradient, torch.full_like(gradient, MAX_GAIN))


def test_what_is_injected_agrees_with_the_feature() -> None:
    feature, control = vectors(2000, 2, 2)
    injected = inject(feature, control, injection_gain(feature, control))
    assert (inner(injected, feature) >= 0).all()
    within = injection_gain(feature, control) < MAX_GAIN - 1e-6
    assert (inner(injected, control)[within] >= ACUTE).all()


def test_injecting_is_the_minimal_norm_point_scaled_to_leave_the_feature_whole() -> None:
    feature, control = vectors(100, 2, 5)
    weight = minimal_norm_weight(control, feature)[:, None]
    inside = weight[:, 0] < MAX_GAIN / (MAX_GAIN + 1)
    point = (weight * control + (1 - weight) * feature) / (1 - weight)
    torch.testing.assert_close(inject(feature, control, injection_gain(feature, control))[inside], point[inside])


@pytest.mark.parametrize(("share", "gain"), [(0.05, 20.0), (0.1, 20.0), (0.5, 4.0), (1.0, 1.0), (2.0, 0.25)])
def test_the_gain_of_an_orthogonal_control_falls_with_the_square_of_its_size(share: float, gain: float) -> None:
    feature, control = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, share]])
    assert injection_gain(feature, control).item() == pytest.approx(gain, rel=1e-5)
    assert injection_gain(feature, control, 3.0).item() == pytest.approx(min(gain, 3.0), rel=1e-5)


def test_strength_counts_after_the_gain() -> None:
    feature, control = vectors(5, 2, 4)
    gain = injection_gain(feature, control)
    whole, half = (inject(feature, control, gain, strength) - feature for strength in (1.0, 0.5))
    torch.testing.assert_close(half, whole / 2)


def test_a_feature_equal_to_its_control_is_left_alone() -> None:
    feature = torch.ones(1, 4)
    assert injection_gain(feature, feature).tolist() == [0.0]


def test_huge_half_precision_features_do_not_overflow() -> None:
    feature, control = (torch.full((1, 1000), value, dtype=torch.float16) for value in (6e4, -6e4))
    assert torch.isfinite(injection_gain(feature, control)).all()
    for rule in (min_norm, unit_min_norm, as_printed):
        assert torch.isfinite(combined([feature, control], rule([feature, control]))).all()


def test_silent_pixels_are_black_and_marked() -> None:
    control, speaks = torch.rand(2, 3, 4, 4), torch.zeros(2, 1, 4, 4)
    speaks[:, :, :2] = 1
    made = with_silent_mask(control, speaks)
    assert torch.equal(made[:, :3, :2], control[:, :, :2])
    assert (made[:, :, 2:] == 0).all()
    assert torch.equal(made[:, 3:], speaks)


def test_how_many_controls_there_may_be() -> None:
    nine = [torch.ones(1, 2)] * 9
    with pytest.raises(ValueError, match="these are 9"):
        min_norm(nine)
    with pytest.raises(ValueError, match="these are 3"):
        as_printed(nine[:3])
