from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sluice.inference.metrics.asymmetry import asym, nasym, probed
from sluice.inference.metrics.checks import Unmeasurable

X = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def linear(matrix: Tensor) -> nn.Module:
    layer = nn.Linear(6, 6, bias=False).double()
    layer.weight.data = matrix
    return nn.Sequential(nn.Flatten(), layer, nn.Unflatten(1, (3, 2)))


def random(seed: int) -> Tensor:
    return torch.randn(6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_gradient_field_has_none() -> None:
    found = probed(linear(random(1) + random(1).T), X)
    assert asym(found).abs().max() < 1e-20
    assert nasym(found).abs().max() < 1e-20


def test_a_rotation_has_all_there_can_be() -> None:
    turn = random(1) - random(1).T
    found = probed(linear(turn), X)
    assert nasym(found).tolist() == pytest.approx([1, 1])


def test_over_many_probes_they_are_the_traces() -> None:
    matrix = random(2)
    found = probed(linear(matrix), X[:1], probes=500)
    whole = matrix.square().sum()
    wanted = whole - (matrix @ matrix).trace()
    assert asym(found).item() == pytest.approx(wanted.item(), rel=0.1)
    assert nasym(found).item() == pytest.approx((wanted / (2 * whole)).item(), rel=0.1)


@pytest.mark.parametrize("probes", [1, 2])
def test_nasym_stays_within_its_range_however_few_the_probes(probes: int) -> None:
    values = [nasym(probed(linear(random(seed)), X, probes, seed)) for seed in range(20)]
    assert min(float(v.min()) for v in values) >= 0
    assert max(float(v.max()) for v in values) <= 1


def test_of_a_net_at_its_own_x_and_the_same_for_the_same_seed() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 6).double(), nn.SiLU(), nn.Unflatten(1, (3, 2)))
    jacobian = torch.func.jacrev(net)(X[:1]).reshape(6, 6)
    wanted = jacobian.square().sum() - (jacobian @ jacobian).trace()
    assert asym(probed(net, X[:1], 100, seed=3)).item() == pytest.approx(wanted.item(), rel=0.2)
    assert torch.equal(asym(probed(net, X, 2, seed=3)), asym(probed(net, X, 2, seed=3)))


def test_a_net_that_answers_nothing_is_symmetric_and_nan_is_an_error() -> None:
    assert nasym(probed(linear(torch.zeros(6, 6, dtype=torch.float64)), X)).tolist() == [0, 0]
    with pytest.raises(Unmeasurable, match="Asym: x 0, 1 of 2 hold NaN"):
        probed(linear(random(1)), X * torch.nan)
    with pytest.raises(Unmeasurable, match="Asym needs at least 1 probes"):
        probed(linear(random(1)), X, probes=0)
