from __future__ import annotations

import torch

from sluice.inference.metrics.retrieval import retrieval


def test_each_direction_counts_for_itself() -> None:
    images = torch.eye(4)
    assert retrieval(images, 3 * images) == (1.0, 1.0)
    texts = images.clone()
    texts[3] = torch.tensor([1.0, 0.0, 0.0, 0.1])
    to_text, to_image = retrieval(images, texts)
    assert to_text == 1.0
    assert to_image == 0.75
