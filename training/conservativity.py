"""How far a prediction is from a gradient field: the asymmetry of its Jacobian, as a loss (MIControlNet, Sec. 4).

`predict` maps `x` `(batch, ...)` to a prediction of the same shape, sample by sample; J is its Jacobian with respect to
`x` alone. What else it depends on, the weights of balance.py among them, is held. Every function here is per sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from sluice.training.written_out import differentiable_twice

Predict = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Products:
    """`J v` and `J' v` of a probe v, `(batch, ...)`."""

    along: Tensor
    back: Tensor

    def loss(self) -> Tensor:
        """`|J v - J' v|^2 / 2`, whose mean over probes is `tr JJ' - tr JJ`, `(batch,)`; never negative."""
        return 0.5 * _squares(self.along - self.back)

    def asym(self) -> Tensor:
        """`v'JJ'v - v'JJv` `(batch,)`, the same in the mean as it is printed (Eq. 18)."""
        return _squares(self.back) - (self.back * self.along).flatten(1).sum(dim=1)

    def trace(self) -> Tensor:
        """`v'JJ'v` `(batch,)`, in the mean `tr JJ'`; `NAsym` is the mean of `asym` over twice the mean of this."""
        return _squares(self.back)


def rademacher(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A probe of ones and minus ones like `x`: zero mean, unit covariance, the least variance."""
    signs = torch.randint(2, x.shape, generator=generator, device=generator.device if generator else x.device)
    return (2 * signs - 1).to(x)


def products(predict: Predict, x: Tensor, probe: Tensor) -> Products:
    """Both products, for reporting: no gradient reaches any parameter."""
    found = _differentiable_products(predict, x, probe)
    return Products(found.along.detach(), found.back.detach())


def by_double_backward(predict: Predict, x: Tensor, probe: Tensor) -> Tensor:
    """The loss `(batch,)`, differentiated through its own backward passes."""
    return _differentiable_products(predict, x, probe).loss()


def _differentiable_products(predict: Predict, x: Tensor, probe: Tensor) -> Products:
    with differentiable_twice():
        seen = x.detach().requires_grad_()
        made = predict(seen)
        cotangent = torch.zeros_like(made, requires_grad=True)
        (linear,) = torch.autograd.grad(made, seen, cotangent, create_graph=True)
        # J'u is linear in u, and the derivative of v'J'u with respect to u is J v.
        (along,) = torch.autograd.grad(linear, cotangent, probe, create_graph=True)
        (back,) = torch.autograd.grad(made, seen, probe, create_graph=True)
    return Products(along, back)


def by_forward_mode(predict: Predict, x: Tensor, probe: Tensor) -> Tensor:
    """The loss `(batch,)`; its gradient is that of `w' J v - v' J w` with `w = (J - J') v` held, two tangents."""
    with differentiable_twice():
        seen = x.detach().requires_grad_()
        along = _tangent(predict, x.detach(), probe)
        found = _held_products(predict, seen, probe, along.detach())
        wrong = found.along - found.back
        slope = _dot(wrong, along) - _dot(probe, _tangent(predict, x.detach(), wrong))
    return _valued(found.loss(), slope)


def by_differences(predict: Predict, x: Tensor, probe: Tensor, step: float) -> Tensor:
    """The loss `(batch,)` by central differences, `step` being the length of a move over that of `x`.

    First-order backward passes alone, so that fused attention and checkpointing serve; in half precision the
    differences drown.
    """
    still = x.detach()
    along = _difference(predict, still, probe, step)
    found = _held_products(predict, still.clone().requires_grad_(), probe, along.detach())
    wrong = found.along - found.back
    slope = _dot(wrong, along) - _dot(probe, _difference(predict, still, wrong, step))
    return _valued(found.loss(), slope)


def _held_products(predict: Predict, x: Tensor, probe: Tensor, along: Tensor) -> Products:
    (back,) = torch.autograd.grad(predict(x), x, probe)
    return Products(along, back)


def _tangent(predict: Predict, x: Tensor, direction: Tensor) -> Tensor:
    """`J direction` by forward mode."""
    with forward_ad.dual_level():
        tangent: Tensor | None = forward_ad.unpack_dual(  # type: ignore[no-untyped-call]
            predict(forward_ad.make_dual(x, direction))  # type: ignore[no-untyped-call]
        ).tangent
    return torch.zeros_like(x) if tangent is None else tangent


def _difference(predict: Predict, x: Tensor, direction: Tensor, step: float) -> Tensor:
    """`J direction` by moving `x` a share of its own length to and fro."""
    length = _squares(direction).sqrt().clamp(min=torch.finfo(direction.dtype).tiny)
    move = (step * _squares(x).sqrt() / length).reshape(-1, *[1] * (x.dim() - 1))
    return (predict(x + move * direction) - predict(x - move * direction)) / (2 * move)


def _valued(value: Tensor, slope: Tensor) -> Tensor:
    """A number with the value of one tensor and the gradient of another."""
    return value.detach() + slope - slope.detach()


def _squares(vectors: Tensor) -> Tensor:
    return _dot(vectors, vectors)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).flatten(1).sum(dim=1)
