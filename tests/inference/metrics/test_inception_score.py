from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.inception_score import inception_score


def test_sure_pictures_of_every_class_score_the_number_of_classes() -> None:
    sure = 1000.0 * F.one_hot(torch.arange(100) % 5)
    assert inception_score(sure).tolist() == pytest.approx([5] * 10)


def test_unsure_pictures_and_pictures_of_one_class_score_1() -> None:
    assert inception_score(torch.zeros(100, 5)).tolist() == pytest.approx([1] * 10)
    assert inception_score(torch.tensor([[9.0, 1.0, 0.0]]).expand(100, 3)).tolist() == pytest.approx([1] * 10)


def test_it_is_the_formula_for_each_split() -> None:
    logits = torch.randn(120, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for part, found in zip(logits.chunk(3), inception_score(logits, splits=3).tolist(), strict=True):
        told = part.softmax(dim=1)
        marginal = told.mean(dim=0, keepdim=True)
        divergence = F.kl_div(marginal.log().expand_as(told), told, reduction="batchmean")
        assert found == pytest.approx(divergence.exp().item())


def test_few_pictures_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="inception score needs at least 100 pictures; there are 99"):
        inception_score(torch.zeros(99, 3))
    with pytest.raises(Unmeasurable, match="inception score needs at least 200 pictures; there are 100"):
        inception_score(torch.zeros(100, 3), splits=200)
    with pytest.raises(Unmeasurable, match="and others of 100"):
        inception_score(torch.full((100, 3), torch.nan))
