"""A batch in shares, each differentiated by a thread of its own.

In small networks two threads with an operation each do nearly twice as much as two threads in every operation. The size
of a share is the part's, so that the bits do not depend on how many processors there are. A norm over a batch sees its
share alone; the running statistics move by the mean of all shares' moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from copy import deepcopy

import torch
from torch import Tensor, nn

from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch, Part


def backward(
    part: Part, network: nn.Module, shares: Sequence[Batch], seed: int, step: int, threads: Executor
) -> dict[str, float]:
    """Give the parameters the mean of the shares' gradients, and return the mean of their losses.

    To be called where operations take `a_thread_each`.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    copies = [_with_own_statistics(network) for _ in shares]

    def of_share(number: int) -> tuple[dict[str, float], Sequence[Tensor | None]]:
        losses = part.losses(copies[number], shares[number], Draws(seed, step, torch.device("cpu"), number))
        gradients = torch.autograd.grad(losses["loss"], trained, allow_unused=True)
        return {name: value.item() for name, value in losses.items()}, gradients

    losses, gradients = zip(*threads.map(of_share, range(len(shares))), strict=True)
    for parameter, each in zip(trained, zip(*gradients, strict=True), strict=True):
        parameter.grad = None if each[0] is None else torch.stack(each).mean(dim=0)
    _move_statistics(network, copies)
    return {name: sum(own[name] for own in losses) / len(losses) for name in losses[0]}


def in_shares(batch: Batch, size: int) -> list[Batch]:
    """A batch as so many samples at once; the last share is as large as the others, for means to be of equal weight."""
    samples = len(next(iter(batch.values())))
    if samples % size:
        raise ValueError(f"a batch of {samples} is no multiple of its share, {size}")
    parts = {name: torch.split(value, size) for name, value in batch.items()}
    return [{name: value[number] for name, value in parts.items()} for number in range(samples // size)]


def _with_own_statistics(network: nn.Module) -> nn.Module:
    """The network itself where it has no running statistics; else a copy of it with the same parameters."""
    if not any(isinstance(module, nn.modules.batchnorm._NormBase) for module in network.modules()):
        return network
    return deepcopy(network, {id(parameter): parameter for parameter in network.parameters()})


@torch.no_grad()
def _move_statistics(network: nn.Module, copies: Sequence[nn.Module]) -> None:
    for own, each in zip(network.buffers(), zip(*(copy.buffers() for copy in copies), strict=True), strict=True):
        moves = torch.stack([buffer - own for buffer in each])
        own += moves.mean(dim=0) if own.is_floating_point() else moves[0]
