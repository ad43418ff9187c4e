from __future__ import annotations

import pytest
import torch

from sluice.training.divergence import ends_diverged, is_finite
from sluice.training.progress import Progress


@pytest.mark.parametrize(
    ("in_a_row", "validation", "diverged"),
    [(0, 0.3, False), (1, 0.3, False), (2, 0.3, True), (0, float("nan"), True), (0, float("inf"), True)],
)
def test_a_bad_record_last_is_no_divergence_two_such_steps_are(
    in_a_row: int, validation: float, diverged: bool
) -> None:
    assert ends_diverged(Progress(in_a_row=in_a_row), {"validation": validation}) is diverged


def test_weights_are_finite_or_not() -> None:
    sound, broken = torch.zeros(2, 2), torch.tensor([1.0, float("nan")])
    assert is_finite({"network": {"weight": sound}})
    assert not is_finite({"network": {"weight": sound, "bias": broken}})
