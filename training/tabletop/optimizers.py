"""Muon for matrices and convolutions, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sluice.training.tabletop.recipe import Recipe

OUTER = {"conv_in", "conv_out"}
"""The layers next to latents are AdamW's, as Muon's author has it."""
MOMENTUM = 0.95
FIRST, THIRD, FIFTH = 3.4445, -4.7750, 2.0315
STEPS = 5
"""Muon's own polynomial, steep at 0, and how often."""


class Muon(Optimizer):
    """Momentum whose updates have singular values near 1 (Jordan et al., 2024); convolutions are matrices of filters.

    In float32: torch's own works in bf16, which costs a processor without it half of a training.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002 - none is ever given
        """One update, of the parameters' gradients."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameter, update in zip(moved, orthogonal([self._ahead(own) for own in moved]), strict=True):
                rows, columns = update.shape
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update.view_as(parameter), alpha=-group["lr"] * max(1, rows / columns) ** 0.5)

    def _ahead(self, parameter: nn.Parameter) -> Tensor:
        """Nesterov's momentum, as a matrix."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        return parameter.grad.lerp(momentum, MOMENTUM).flatten(1)


def orthogonal(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Matrices with singular values near 1: 0.68 to 1.21, but for those below a hundredth of a matrix's norm.

    Five Newton-Schulz steps; each multiplies by a polynomial of the Gram matrix, so that all are taken in the Gram
    matrices, the small ones.
    """
    flat = [matrix if len(matrix) <= len(matrix[0]) else matrix.T for matrix in matrices]
    scaled = [matrix / matrix.norm().clamp(min=torch.finfo(matrix.dtype).tiny) for matrix in flat]
    found = list(scaled)
    for rows in {len(matrix) for matrix in scaled}:
        alike = [number for number, matrix in enumerate(scaled) if len(matrix) == rows]
        for number, factor in zip(alike, _factors(torch.stack([scaled[k] @ scaled[k].T for k in alike])), strict=True):
            found[number] = factor @ scaled[number]
    return [own if len(own) == len(matrix) else own.T for own, matrix in zip(found, matrices, strict=True)]


def _factors(gram: Tensor) -> Tensor:
    """What five steps multiply matrices with these Gram matrices `(n, rows, rows)` by."""
    one = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    whole = one.expand_as(gram)
    for _ in range(STEPS):
        factor = FIRST * one + THIRD * gram + FIFTH * gram @ gram
        whole, gram = factor @ whole, factor @ gram @ factor
    return whole


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
