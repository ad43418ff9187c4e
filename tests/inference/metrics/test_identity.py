from __future__ import annotations

import pytest
import torch

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.identity import identity_distance


def test_the_same_face_is_at_0_another_at_1_and_the_opposite_at_2() -> None:
    wanted = torch.tensor([[1.0, 0.0]]).expand(3, 2)
    found = torch.tensor([[5.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    assert identity_distance(found, wanted).tolist() == [0, 1, 2]


def test_other_widths_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match="identity distance"):
        identity_distance(torch.ones(1, 2), torch.ones(1, 3))
    with pytest.raises(Unmeasurable, match="identity distance: found 0 of 1"):
        identity_distance(torch.full((1, 2), torch.nan), torch.ones(1, 2))
