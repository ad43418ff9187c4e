"""That the average of weights is the one its formula says, is shown and taken away, and goes on to the bit."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from sluice.training.average import Average

DECAY = 0.8


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def engine_of(module: nn.Module) -> SimpleNamespace:
    """As much of an engine as an average needs."""
    return SimpleNamespace(module=module, device=torch.device("cpu"))


def moved(module: nn.Module, step: int) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(step + 1.0)


def test_it_is_a_running_average_that_begins_quickly() -> None:
    module = network()
    average, expected = Average(module, DECAY), module[0].bias.detach().clone()
    for step in range(20):
        moved(module, step)
        average.update(engine_of(module))
        decay = 0.0 if step == 0 else min((1 + step) / (10 + step), DECAY)
        expected = decay * expected + (1 - decay) * module[0].bias.detach()
    filled = network()
    average.fill(filled)
    assert torch.allclose(filled[0].bias, expected)


def test_half_precision_is_averaged_in_float32() -> None:
    module = network()
    average = Average(module, 0.999)
    module.to(torch.bfloat16)
    average.update(engine_of(module))
    assert all(weights.dtype == torch.float32 for weights in average.state()["shadow_params"])


def test_it_is_shown_and_taken_away_again() -> None:
    module = network()
    average = Average(module, DECAY)
    first = [parameter.detach().clone() for parameter in module.parameters()]
    moved(module, 0)
    own = [parameter.detach().clone() for parameter in module.parameters()]
    with average.shown(engine_of(module)):
        assert all(torch.equal(p, q) for p, q in zip(module.parameters(), first, strict=True))
    assert all(torch.equal(p, q) for p, q in zip(module.parameters(), own, strict=True))


def test_a_restored_one_goes_on_to_the_bit() -> None:
    module = network()
    whole, again = Average(module, DECAY), Average(module, DECAY)
    for step in range(6):
        if step == 3:
            again = Average(network(), DECAY)
            again.restore(whole.state())
        moved(module, step)
        whole.update(engine_of(module))
        again.update(engine_of(module))
    pairs = zip(whole.state()["shadow_params"], again.state()["shadow_params"], strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
