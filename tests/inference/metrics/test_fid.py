from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.fid import MINIMUM, fid
from sluice.inference.metrics.frechet import frechet_distance

FEATURES = torch.randn(2, MINIMUM, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_the_frechet_distance_even_below_its_width() -> None:
    assert fid(*FEATURES) == frechet_distance(*FEATURES)
    wide = FEATURES[0].repeat(1, 40)
    assert fid(wide, wide + 0.5) == pytest.approx(0.25 * 240, rel=1e-5)


def test_few_pictures_are_refused_with_the_minimum() -> None:
    with pytest.raises(Unmeasurable, match="FID needs at least 100 true_pictures; there are 99"):
        fid(FEATURES[0], FEATURES[1, 1:])
