"""Muon for matrices and convolutions, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sluice.training.tabletop.recipe import Recipe

OUTER = {"conv_in", "conv_out"}
"""The layers next to latents are AdamW's, as Muon's author has it."""


class Muon(torch.optim.Muon):
    """torch's Muon, to which a convolution is a matrix of its filters."""

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        self.whole = parameters
        matrices = [nn.Parameter(parameter.detach().flatten(1)) for parameter in parameters]  # share their memory
        super().__init__(matrices, lr=lr, weight_decay=weight_decay)

    def step(self, closure: Any = None) -> Any:
        """One update, of the parameters' gradients."""
        for parameter, matrix in zip(self.whole, self.param_groups[0]["params"], strict=True):
            matrix.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        return super().step(closure)  # type: ignore[no-untyped-call]


def optimizers(network: nn.Module, recipe: Recipe) -> list[Optimizer]:
    """What updates a network: AdamW, and where the recipe has a rate for it two Muons, a thread's work each."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    matrices = _matrices(network) if recipe.muon else []
    taken = set(map(id, matrices))
    rest = [parameter for parameter in trained if id(parameter) not in taken]
    made: list[Optimizer] = [torch.optim.AdamW(rest, recipe.learning_rate, weight_decay=recipe.weight_decay)]
    by_work = sorted(matrices, key=lambda matrix: -matrix.numel() * min(len(matrix), matrix[0].numel()))
    made += [Muon(half, recipe.muon, recipe.weight_decay) for half in (by_work[::2], by_work[1::2]) if half]
    for group in (group for optimizer in made for group in optimizer.param_groups):
        group["initial_lr"] = group["lr"]
    return made


def _matrices(network: nn.Module) -> list[nn.Parameter]:
    """The trained weights of linear layers and convolutions, but for the outer and the depthwise ones."""
    return [
        weight
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and name.rpartition(".")[2] not in OUTER
        and getattr(module, "groups", 1) == 1
        for weight in module.parameters(recurse=False)
        if weight.requires_grad and weight.ndim > 1
    ]
