from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.clip import clip_distance, clip_similarity

IMAGES = torch.tensor([[3.0, 4.0], [1.0, 0.0], [2.0, 0.0]])
TEXTS = torch.tensor([[6.0, 8.0], [0.0, 1.0], [-1.0, 0.0]])


def test_the_better_the_text_fits_the_higher_similarity_and_the_lower_distance() -> None:
    assert clip_similarity(IMAGES, TEXTS).tolist() == pytest.approx([1, 0, -1])
    assert clip_distance(IMAGES, TEXTS).tolist() == pytest.approx([0, 1, 2], abs=1e-6)


def test_unequal_numbers_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="CLIP similarity"):
        clip_similarity(IMAGES, TEXTS[:2])
    with pytest.raises(Unmeasurable, match="CLIP text distance: texts 0, 1, 2 of 3"):
        clip_distance(IMAGES, TEXTS * torch.nan)
