from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.class_accuracy import class_accuracy

LOGITS = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])


def test_the_wanted_class_is_among_the_top_ones_or_not() -> None:
    wanted = torch.tensor([0, 1])
    assert class_accuracy(LOGITS, wanted).tolist() == [1, 0]
    assert class_accuracy(LOGITS, wanted, top=2).tolist() == [1, 1]


def test_no_pictures_unknown_classes_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="class accuracy: there are no logits"):
        class_accuracy(LOGITS[:0], torch.zeros(0, dtype=torch.int64))
    with pytest.raises(Unmeasurable, match=r"logits must be \(batch, classes\), and are \(2, 3, 1\)"):
        class_accuracy(LOGITS[..., None], torch.tensor([0, 1]))
    with pytest.raises(Unmeasurable, match="logits 0, 1 of 2"):
        class_accuracy(LOGITS * torch.nan, torch.tensor([0, 1]))
    with pytest.raises(Unmeasurable, match="wanted must hold values from 0 to 2, not 0 to 3"):
        class_accuracy(LOGITS, torch.tensor([0, 3]))
    with pytest.raises(Unmeasurable, match=r"pictures \(2,\), wanted \(1,\)"):
        class_accuracy(LOGITS, torch.tensor([0]))
    with pytest.raises(Unmeasurable, match="wanted must be whole numbers"):
        class_accuracy(LOGITS, torch.tensor([0.0, 1.0]))
    with pytest.raises(Unmeasurable, match="top must be from 1 to the 3 classes, not 9"):
        class_accuracy(LOGITS, torch.tensor([0, 1]), top=9)
