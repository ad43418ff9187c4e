"""The conservativity loss's parameter gradient by each route and dtype, against double backward in float64.

What is measured is an error and no speed: `|g - g64| / |g64|` over all parameters, on a small U-Net with every layer of
the full-size one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sluice.training.conservativity import (
    Predict,
    by_differences,
    by_double_backward,
    by_forward_mode,
    rademacher,
)
from sluice.training.methods.control import STEP
from tests.benchmarks.result import Goal, Result
from tests.small_unet import WIDTH, small_unet

TOKENS, TIME = 5, 300
STEPS = (1e-3, STEP, 1e-2)
CHOSEN = {
    ("differences, 0.003", "float32"): Goal("<=", 1e-3),
    ("double backward", "float32"): Goal("<=", 1e-4),
    ("double backward", "bfloat16"): Goal("<=", 0.1),
    ("double backward", "float16"): Goal("<=", 0.02),
}
"""What training uses of these: differences in float32, double backward in half precision."""

Route = Callable[[Predict, Tensor, Tensor], Tensor]


def run() -> list[Result]:
    """The routes that training chooses have goals; the others stand beside them."""
    routes: dict[str, Route] = {"double backward": by_double_backward, "forward mode": by_forward_mode}
    for step in STEPS:
        routes[f"differences, {step:g}"] = _differences(step)
    exact = _gradient(by_double_backward, torch.float64)
    errors = {
        (name, str(dtype).removeprefix("torch.")): _error(route, dtype, exact)
        for name, route in routes.items()
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
    }
    return [
        Result(f"gradient error: {name}, {dtype}", errors[name, dtype], goal, _beside(errors, dtype))
        for (name, dtype), goal in CHOSEN.items()
    ]


def _beside(errors: dict[tuple[str, str], float], dtype: str) -> dict[str, Any]:
    return {name: f"{error:.1e}" for (name, own), error in errors.items() if own == dtype}


def _differences(step: float) -> Route:
    return lambda predict, x, probe: by_differences(predict, x, probe, step)


def _error(route: Route, dtype: torch.dtype, exact: Tensor) -> float:
    """No number where torch has no such derivative in this dtype."""
    try:
        found = _gradient(route, dtype)
    except (RuntimeError, NotImplementedError):
        return float("nan")
    return float((found - exact).norm() / exact.norm())


def _gradient(route: Route, dtype: torch.dtype) -> Tensor:
    """Of the loss with respect to every parameter, in float64; the same network, latents and probe for each."""
    unet: Any = small_unet((16, 32)).double()
    drawn = torch.Generator().manual_seed(1)
    for parameter in unet.parameters():  # what is initialised as zero would have no effect
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=drawn, dtype=torch.float64)
    x = torch.randn(4, 4, 8, 8, generator=drawn, dtype=torch.float64)
    states = torch.randn(4, TOKENS, WIDTH, generator=drawn, dtype=torch.float64).to(dtype)
    probe = rademacher(x, drawn).to(dtype)
    unet = unet.to(dtype)
    route(lambda moved: unet(moved, TIME, states).sample, x.to(dtype), probe).sum().backward()
    return torch.cat([_of(parameter) for parameter in unet.parameters()])


def _of(parameter: Tensor) -> Tensor:
    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return gradient.flatten().double()
