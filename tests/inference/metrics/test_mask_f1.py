from __future__ import annotations

import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.mask_f1 import mask_f1
from sluice.inference.metrics.mean_iou import mask_iou

MAPS = torch.randint(3, (2, 4, 6, 5), generator=torch.Generator().manual_seed(0))


def test_both_are_scikit_learns_macro_means() -> None:
    found, wanted = MAPS
    pairs = [(truth.flatten(), seen.flatten()) for seen, truth in zip(found, wanted, strict=True)]
    assert mask_f1(found, wanted, 5).tolist() == pytest.approx([f1_score(*pair, average="macro") for pair in pairs])
    assert mask_iou(found, wanted, 5).tolist() == pytest.approx([jaccard_score(*p, average="macro") for p in pairs])


def test_a_map_against_itself_is_1_and_against_another_class_0() -> None:
    one = torch.zeros(1, 4, 4, dtype=torch.int64)
    assert mask_f1(one, one, 3).tolist() == [1]
    assert mask_f1(one, one + 1, 3).tolist() == [0]


def test_unknown_classes_and_mixed_sizes_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="mask F1: predicted must hold values from 0 to 1, not 0 to 2"):
        mask_f1(*MAPS, classes=2)
    with pytest.raises(Unmeasurable, match="one size"):
        mask_iou(MAPS[0], MAPS[1, :, 1:], classes=3)
    with pytest.raises(Unmeasurable, match="mask IoU: there are no found to measure"):
        mask_iou(MAPS[0, :0], MAPS[1, :0], classes=3)
    with pytest.raises(Unmeasurable, match="mask F1: found must be whole numbers of classes"):
        mask_f1(MAPS[0] + 0.7, MAPS[1], classes=3)
