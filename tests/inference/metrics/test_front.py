from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.front import front_accuracy

WALL, BALL, CUBE = 0, 1, 2
NOWHERE = torch.zeros(1, 4, 4, dtype=torch.int64)


def test_the_object_that_most_of_the_overlap_shows_is_in_front() -> None:
    overlap = torch.zeros(4, 4, 4)
    overlap[:, :, 1:3] = 1
    labels = torch.full((4, 4, 4), CUBE)
    labels[0, :3, 1:3] = BALL
    labels[1, :1, 1:3] = BALL
    labels[2] = WALL
    labels[3, :, :1], labels[3, :, 3:] = BALL, BALL
    front, behind = torch.full((4,), BALL), torch.full((4,), CUBE)
    # In front, behind, neither to be seen, in sight but not where the two overlap.
    assert front_accuracy(labels, overlap, front, behind).tolist() == [1, 0, 0, 0]
    assert front_accuracy(labels, overlap, behind, front).tolist() == [0, 1, 0, 1]


def test_objects_that_do_not_overlap_are_an_error() -> None:
    with pytest.raises(Unmeasurable, match="front accuracy: there are no pixels of both objects in 0 of 1"):
        front_accuracy(NOWHERE, torch.zeros(1, 4, 4), torch.tensor([1]), torch.tensor([2]))


def test_each_picture_has_its_own_objects_by_number() -> None:
    overlap, one, two = torch.ones(1, 4, 4), torch.tensor([1]), torch.tensor([1, 2])
    with pytest.raises(Unmeasurable, match=r"front accuracy: .* front \(2,\), behind \(1,\)"):
        front_accuracy(NOWHERE, overlap, two, one)
    with pytest.raises(Unmeasurable, match="overlap 0 of 1 hold NaN"):
        front_accuracy(NOWHERE, overlap * torch.nan, one, one)
    with pytest.raises(Unmeasurable, match=r"front must be whole numbers of classes, not torch\.float32"):
        front_accuracy(NOWHERE, overlap, one.float(), one)
