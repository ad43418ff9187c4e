from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.style import style_distance

FEATURES = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_the_frobenius_distance_of_gram_matrices() -> None:
    other = FEATURES.roll(1, dims=1) * 1.5
    for one, two, found in zip(FEATURES, other, style_distance(FEATURES, other), strict=True):
        grams = [(layer.flatten(1) @ layer.flatten(1).T / 24) for layer in (one, two)]
        assert found.item() == pytest.approx((grams[0] - grams[1]).norm().item())


def test_where_things_are_and_how_large_the_picture_is_do_not_count() -> None:
    assert style_distance(FEATURES.flip(3).roll(1, dims=2), FEATURES).abs().max() < 1e-12
    assert style_distance(torch.cat([FEATURES, FEATURES], dim=2), FEATURES).abs().max() < 1e-12


def test_another_layer_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match=r"style distance: .* same layer"):
        style_distance(FEATURES[:, :3], FEATURES)
    with pytest.raises(Unmeasurable, match="features 0, 1 of 2"):
        style_distance(FEATURES * torch.nan, FEATURES)
