"""CAGrad in the Gram matrix: against scipy, without conflict's share, and its projection."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from sluice.inference.combiners.cagrad import cagrad, cagrad_weights, onto_simplex


@pytest.mark.parametrize("c", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("k", [2, 3, 6])
def test_cagrad_is_the_solvers(k: int, c: float) -> None:
    vectors = torch.randn(20, k, 7, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
    vectors[10:, 0] *= 20
    gram = vectors @ vectors.mT
    weights = cagrad_weights(gram, c)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(20, dtype=torch.float64))
    for own, found in zip(gram.numpy(), weights.numpy(), strict=True):
        scale = own.diagonal().max()
        radius = c * np.sqrt(own.mean() / scale)

        def value(w: np.ndarray, own: np.ndarray = own / scale, radius: float = radius) -> float:
            return float(w @ own.mean(axis=1) + radius * np.sqrt(max(w @ own @ w, 1e-24)))

        starts = [np.full(k, 1 / k), *np.eye(k)]
        best = min(
            minimize(
                value,
                start,
                bounds=[(0, 1)] * k,
                constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
                method="SLSQP",
                options={"ftol": 1e-14, "maxiter": 500},
            ).fun
            for start in starts
        )
        assert value(found) <= best + 1e-6


def test_without_c_it_is_the_mean_and_of_nothing_nothing() -> None:
    some = list(torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(cagrad(some, 0.0), torch.stack(some).mean(dim=0))
    assert not cagrad([some[0], -some[0]], 0.4).any()
    assert not cagrad([torch.zeros(2, 3)] * 2, 0.4).any()


def test_the_nearest_point_of_the_simplex() -> None:
    points = torch.tensor([[0.2, 0.3, 0.5], [2.0, 0.0, 0.0], [-1.0, 0.5, 0.5], [1.0, 1.0, 1.0]])
    wanted = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [1 / 3] * 3])
    torch.testing.assert_close(onto_simplex(points), wanted)


def test_a_simplex_is_sought_where_the_points_are() -> None:
    assert onto_simplex(torch.ones(2, 3, device="meta", dtype=torch.float64)).device.type == "meta"
