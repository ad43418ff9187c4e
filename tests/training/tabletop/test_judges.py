"""What the judges are trained by."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sluice.training.tabletop.judges import overlap_loss


def test_overlap_is_nothing_where_all_agrees_and_one_where_nothing_does() -> None:
    truth = torch.tensor([[[0, 0, 2], [0, 2, 2]]])
    right = 50 * F.one_hot(truth, 4).permute(0, 3, 1, 2).float()
    assert float(overlap_loss(right, truth)) == pytest.approx(0, abs=1e-6)
    assert float(overlap_loss(right, torch.ones_like(truth))) == pytest.approx(1)


def test_a_rare_class_counts_as_much_as_a_common_one() -> None:
    truth = torch.zeros(1, 10, 10, dtype=torch.int64)
    truth[0, 0, 0] = 1
    missed = 50 * F.one_hot(torch.zeros_like(truth), 2).permute(0, 3, 1, 2).float()
    assert float(overlap_loss(missed, truth)) == pytest.approx(0.5, abs=0.01)
