from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.mean_iou import MeanIou, mask_iou


def test_the_mean_is_over_the_classes_that_were_ever_there() -> None:
    iou = MeanIou(4)
    iou.add(torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 1, 1]]))
    assert iou.by_class()[:2].tolist() == pytest.approx([1 / 2, 2 / 3])
    assert iou.by_class()[2:].isnan().all()
    assert iou.mean() == pytest.approx(7 / 12)


def test_maps_add_up() -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, truth = (torch.randint(3, (6, 5, 5), generator=generator) for _ in range(2))
    whole, parts = MeanIou(3), MeanIou(3)
    whole.add(predicted, truth)
    for one, other in zip(predicted, truth, strict=True):
        parts.add(one, other)
    assert torch.equal(whole.confusion, parts.confusion)


def test_a_map_against_itself_is_one() -> None:
    iou = MeanIou(3)
    iou.add(torch.tensor([[0, 2]]), torch.tensor([[0, 2]]))
    assert iou.mean() == 1


def test_what_holds_no_classes_is_an_error() -> None:
    with pytest.raises(Unmeasurable, match="mask IoU: predicted must be whole numbers of classes"):
        MeanIou(3).add(torch.tensor([[0.0, 1.8]]), torch.tensor([[0, 1]]))
    with pytest.raises(Unmeasurable, match="there are no found to measure"):
        mask_iou(torch.zeros(1, 0, 4, dtype=torch.int64), torch.zeros(1, 0, 4, dtype=torch.int64), 3)
    with pytest.raises(Unmeasurable, match="mask IoU needs at least 1 classes; there are -1"):
        MeanIou(-1)
    with pytest.raises(Unmeasurable, match="counts 4096 classes at most, not 1000000000"):
        mask_iou(torch.zeros(1, 2, 2, dtype=torch.int64), torch.zeros(1, 2, 2, dtype=torch.int64), 10**9)
