"""That Muon updates a network's own weights, convolutions as matrices, and that nothing is updated twice."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from sluice.training.tabletop.optimizers import Muon, optimizers
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
