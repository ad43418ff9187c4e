"""Each route's value and parameter gradient against full Jacobians and differences in parameter space, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sluice.training.conservativity import (
    Predict,
    by_differences,
    by_double_backward,
    by_forward_mode,
    products,
    rademacher,
)
from sluice.training.written_out import checkpoint
from tests.small_unet import small_unet

Route = Callable[[Predict, Tensor, Tensor], Tensor]
ROUTES: dict[str, Route] = {
    "double backward": by_double_backward,
    "forward mode": by_forward_mode,
    "differences": partial(by_differences, step=1e-5),
}
EXACT = [pytest.param(route, id=name) for name, route in ROUTES.items()]


@pytest.fixture
def unet() -> Any:
    """A small U-Net with everything in it: GroupNorm, LayerNorm, GEGLU, self- and cross-attention."""
    network = small_unet((8, 8), in_channels=2, out_channels=2, attention_head_dim=2).double()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network.train()


def bound(unet: Any) -> Predict:
    states = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return lambda x: unet(x, 300, states.expand(len(x), -1, -1)).sample


def sample(batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(batch, 2, 4, 4, generator=generator, dtype=torch.float64)
    return x, rademacher(x, generator)


def jacobians(predict: Predict, x: Tensor) -> Tensor:
    """The full Jacobian of each sample, `(batch, d, d)`."""
    width = x[0].numel()
    rows = torch.autograd.functional.jacobian(
        lambda flat: predict(flat.reshape(x.shape)).flatten(1).sum(0), x.flatten(1)
    )
    return rows.permute(1, 0, 2).reshape(len(x), width, width)


def test_products_are_those_of_the_full_jacobian(unet: Any) -> None:
    predict, (x, probe) = bound(unet), sample()
    full, flat = jacobians(predict, x), probe.flatten(1)
    found = products(predict, x, probe)
    torch.testing.assert_close(found.along.flatten(1), torch.einsum("bij,bj->bi", full, flat))
    torch.testing.assert_close(found.back.flatten(1), torch.einsum("bij,bi->bj", full, flat))
    torch.testing.assert_close(found.loss(), 0.5 * torch.einsum("bij,bj->bi", full - full.mT, flat).square().sum(1))
    torch.testing.assert_close(
        found.asym(),
        torch.einsum("bi,bij,bkj,bk->b", flat, full, full, flat)
        - torch.einsum("bi,bij,bjk,bk->b", flat, full, full, flat),
    )
    torch.testing.assert_close(found.trace(), torch.einsum("bij,bi->bj", full, flat).square().sum(1))


def test_in_the_mean_over_probes_all_are_asym(unet: Any) -> None:
    predict, (x, _) = bound(unet), sample(batch=1)
    full = jacobians(predict, x)[0]
    asym = float((full @ full.T).trace() - (full @ full).trace())
    many = x.expand(400, -1, -1, -1)
    drawn = products(predict, many, rademacher(many, torch.Generator().manual_seed(3)))
    for values in (drawn.loss(), drawn.asym()):
        assert abs(float(values.mean()) - asym) < 4 * float(values.std()) / len(values) ** 0.5
    share = asym / (2 * float((full @ full.T).trace()))
    assert 0 < share < 1


@pytest.mark.parametrize("route", EXACT)
def test_the_value_is_the_loss(route: Route, unet: Any) -> None:
    predict, (x, probe) = bound(unet), sample()
    torch.testing.assert_close(route(predict, x, probe), products(predict, x, probe).loss(), rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    ("route", "checkpointed"),
    [*((route, False) for route in ROUTES.values()), (by_double_backward, True), (ROUTES["differences"], True)],
    ids=[*ROUTES, "double backward, checkpointed", "differences, checkpointed"],
)
def test_the_parameter_gradient_is_that_of_differences_in_parameter_space(
    route: Route, checkpointed: bool, unet: Any
) -> None:
    if checkpointed:
        unet.enable_gradient_checkpointing(checkpoint)
    predict, (x, probe) = bound(unet), sample()
    route(predict, x, probe).sum().backward()
    unet.disable_gradient_checkpointing()
    for kind in (nn.LayerNorm, nn.GroupNorm, nn.Linear, nn.Conv2d):
        own = [p for module in unet.modules() if isinstance(module, kind) for p in module.parameters()]
        ways = [torch.randn(p.shape, generator=torch.Generator().manual_seed(4), dtype=p.dtype) for p in own]
        found = sum(float((p.grad * way).sum()) for p, way in zip(own, ways, strict=True) if p.grad is not None)
        assert found == pytest.approx(slope_along(own, ways, predict, x, probe), rel=1e-6), kind


def slope_along(
    own: Sequence[nn.Parameter], ways: Sequence[Tensor], predict: Predict, x: Tensor, probe: Tensor
) -> float:
    """The loss's derivative along directions of some parameters, by differences."""
    step = 1e-5 / sum(float(way.square().sum()) for way in ways) ** 0.5
    still, values = [p.data for p in own], []
    for sign in (1, -1):
        for p, at, way in zip(own, still, ways, strict=True):
            p.data = at + sign * step * way
        values.append(float(products(predict, x, probe).loss().sum()))
    for p, at in zip(own, still, strict=True):
        p.data = at
    return (values[0] - values[1]) / (2 * step)


def test_forward_mode_of_a_checkpointed_network_is_refused(unet: Any) -> None:
    unet.enable_gradient_checkpointing(checkpoint)
    predict, (x, probe) = bound(unet), sample()
    with pytest.raises(ValueError, match="use by_double_backward or by_differences"):
        by_forward_mode(predict, x, probe)


def test_a_gradient_field_has_no_loss() -> None:
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x, probe = torch.ones(1, 6, dtype=torch.float64), rademacher(torch.ones(1, 6, dtype=torch.float64))
    even = products(lambda x: x @ (matrix + matrix.T) + x**3, x, probe)
    assert float(even.loss()) == pytest.approx(0, abs=1e-20)
    turn = matrix - matrix.T
    found = products(lambda x: x @ turn, x, probe)
    assert float(found.asym() / (2 * found.trace())) == pytest.approx(1)


def test_a_prediction_that_does_not_move_has_no_loss() -> None:
    x = torch.ones(2, 3)
    for route in ROUTES.values():
        assert route(lambda x: 0 * x, x, rademacher(x)).tolist() == [0, 0]
