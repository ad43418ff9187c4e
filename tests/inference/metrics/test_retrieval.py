from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.retrieval import retrieval


def test_each_direction_counts_for_itself() -> None:
    images = torch.eye(4)
    assert retrieval(images, 3 * images) == (1.0, 1.0)
    texts = images.clone()
    texts[3] = torch.tensor([1.0, 0.0, 0.0, 0.1])
    to_text, to_image = retrieval(images, texts)
    assert to_text == 1.0
    assert to_image == 0.75


def test_one_picture_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="retrieval needs at least 2 pictures"):
        retrieval(torch.eye(1), torch.eye(1))
    with pytest.raises(Unmeasurable, match="texts 0, 1 of 2"):
        retrieval(torch.eye(2), torch.eye(2) * torch.nan)
