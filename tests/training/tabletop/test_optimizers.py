"""That Muon updates a network's own weights, convolutions as matrices, and that nothing is updated twice."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from sluice.training.tabletop.optimizers import FIFTH, FIRST, STEPS, THIRD, Muon, optimizers, orthogonal
from sluice.training.tabletop.recipe import Recipe

RECIPE = Recipe(steps=1, batch=1, learning_rate=1e-3)


def network() -> nn.Module:
    torch.manual_seed(0)
    made = nn.Module()
    made.conv_in = nn.Conv2d(4, 8, 3)
    made.middle = nn.Sequential(nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8), nn.Linear(8, 16), nn.Conv2d(8, 8, 3, groups=8))
    made.frozen = nn.Linear(8, 8).requires_grad_(False)
    return made


def test_every_trained_weight_is_updated_by_one_optimizer() -> None:
    made = network()
    middle, trained = made.middle, {p.data_ptr() for p in made.parameters() if p.requires_grad}
    for recipe in (RECIPE, replace(RECIPE, muon=0.02)):
        groups = [optimizer.param_groups[0]["params"] for optimizer in optimizers(made, recipe)]
        held = [{p.data_ptr() for p in group} for group in groups]
        assert set.union(*held) == trained
        assert sum(map(len, held)) == len(trained)
    _, *muons = held
    assert set.union(*muons) == {middle[0].weight.data_ptr(), middle[2].weight.data_ptr()}


def test_muon_moves_a_convolution_by_a_matrix_of_equal_singular_values() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(6, 5, 3, 3))
    uneven = torch.tensor([0.1, 0.3, 1.0, 3.0, 10.0, 30.0])[:, None, None, None]
    before, weight.grad = weight.detach().clone(), uneven * torch.randn(6, 5, 3, 3)
    Muon([weight], lr=0.1, weight_decay=0.0).step()
    moved = torch.linalg.svdvals((before - weight.detach()).flatten(1)) / 0.1
    gradient = torch.linalg.svdvals(weight.grad.flatten(1))
    assert moved.max() / moved.min() < 2
    assert gradient.max() / gradient.min() > 20
    assert moved.min() > 0.6
    assert moved.max() < 1.3


def test_its_steps_are_the_polynomial_of_the_singular_values() -> None:
    torch.manual_seed(0)
    matrices = [torch.randn(rows, columns, dtype=torch.float64) for rows, columns in ((5, 9), (9, 5), (5, 5), (3, 8))]
    for matrix, found in zip(matrices, orthogonal(matrices), strict=True):
        u, values, v = torch.linalg.svd(matrix / matrix.norm(), full_matrices=False)
        for _ in range(STEPS):
            values = FIRST * values + THIRD * values**3 + FIFTH * values**5
        assert torch.allclose(found, u * values @ v, atol=1e-10)


def test_it_goes_where_torchs_muon_goes_within_the_rounding_of_bf16() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Parameter(torch.randn(12, 30)), nn.Parameter(torch.empty(12, 30))
    theirs.data.copy_(ours.data)
    own, other = Muon([ours], lr=0.02, weight_decay=0.1), torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1)
    start = ours.detach().clone()
    for _ in range(4):
        ours.grad = torch.randn(12, 30)
        theirs.grad = ours.grad.clone()
        own.step()
        other.step()  # type: ignore[no-untyped-call]
    assert (ours - theirs).norm() < 0.02 * (ours - start).norm()
