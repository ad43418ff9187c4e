"""That a batch in shares gives the gradient of the whole, whatever the number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sluice.training.tabletop.autoencoder import Autoencoder
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch, Recipe
from sluice.training.tabletop.scenes import Scenes
from sluice.training.tabletop.shares import backward, in_shares


class Regression(Autoencoder):
    """A part whose loss has no draw, or one that is written down."""

    drawn: list[Tensor]

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        self.drawn.append(draws.normal("x", (2,)))
        loss = F.mse_loss(network(batch["x"]), batch["y"])
        return {"loss": loss, "twice": 2 * loss}


def part() -> Regression:
    made = Regression(Scenes(), Recipe(steps=1, batch=12, learning_rate=1.0))
    made.drawn = []
    return made


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.SiLU(), nn.Linear(7, 3))


def batch() -> Batch:
    torch.manual_seed(1)
    return {"x": torch.randn(12, 5), "y": torch.randn(12, 3)}


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_shares_give_the_gradient_of_the_whole(threads: int) -> None:
    own, whole = network(), network()
    with ThreadPoolExecutor(threads) as pool:
        losses = backward(part(), own, in_shares(batch(), 4), 0, 0, pool)
    loss = F.mse_loss(whole(batch()["x"]), batch()["y"])
    loss.backward()
    assert losses == pytest.approx({"loss": loss.item(), "twice": 2 * loss.item()}, rel=1e-6)
    for mine, theirs in zip(own.parameters(), whole.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-7)


def test_the_number_of_threads_changes_no_bit() -> None:
    gradients = []
    for threads in (1, 3):
        own = network()
        with ThreadPoolExecutor(threads) as pool:
            backward(part(), own, in_shares(batch(), 2), 0, 0, pool)
        gradients.append([parameter.grad for parameter in own.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True) if one is not None)


@pytest.mark.parametrize("threads", [1, 3])
def test_running_statistics_move_by_the_mean_of_the_shares(threads: int) -> None:
    own = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Linear(7, 3))
    first, norm = own[0], own[1]
    with torch.no_grad():
        means = torch.stack([first(share["x"]).mean(dim=0) for share in in_shares(batch(), 4)])
    with ThreadPoolExecutor(threads) as pool:
        backward(part(), own, in_shares(batch(), 4), 0, 0, pool)
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, norm.momentum * means.mean(dim=0), atol=1e-6)
    assert norm.num_batches_tracked == 1
    assert norm.weight.grad is not None


def test_each_share_has_draws_of_its_own() -> None:
    of = part()
    with ThreadPoolExecutor(1) as pool:
        backward(of, network(), in_shares(batch(), 4), 0, 0, pool)
    assert len({tuple(drawn.tolist()) for drawn in of.drawn}) == 3


def test_a_share_that_does_not_divide_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch of 12 is no multiple of its share, 5"):
        in_shares(batch(), 5)
