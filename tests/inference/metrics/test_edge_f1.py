from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sluice.inference.metrics.checks import Unmeasurable
from sluice.inference.metrics.edge_f1 import edge_f1


def column(at: int) -> Tensor:
    line = torch.zeros(1, 8, 8, dtype=torch.bool)
    line[:, :, at] = True
    return line


def test_a_line_is_found_up_to_the_tolerance_and_no_further() -> None:
    assert edge_f1(column(3), column(3), tolerance=0).tolist() == [1]
    assert edge_f1(column(5), column(3), tolerance=2).tolist() == [1]
    assert edge_f1(column(5), column(3), tolerance=1.9).tolist() == [0]


def test_what_is_too_much_costs_precision_and_what_is_missing_recall() -> None:
    both = column(1) | column(6)
    assert edge_f1(both, column(1)).item() == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert edge_f1(column(1), both).item() == pytest.approx(2 * 0.5 * 1 / 1.5)
    third = column(1).clone()
    third[:, 2:] = False
    # All of it is right; of the column, rows 0 and 1 and the one a pixel below are found.
    assert edge_f1(third, column(1)).item() == pytest.approx(2 * (3 / 8) / (1 + 3 / 8))


def test_no_edges_where_none_are_wanted_is_right_and_otherwise_wrong() -> None:
    none = torch.zeros(1, 8, 8)
    pairs = [(none, none), (none, column(2)), (column(2), none)]
    assert [edge_f1(*pair).item() for pair in pairs] == [1, 0, 0]


def test_mixed_sizes_and_nan_are_errors() -> None:
    with pytest.raises(Unmeasurable, match=r"edge F1.*one size"):
        edge_f1(column(1), column(1)[:, 1:])
    with pytest.raises(Unmeasurable, match="edge F1: found 0 of 1"):
        edge_f1(column(1) * torch.nan, column(1))
    with pytest.raises(Unmeasurable, match=r"found must hold values from 0 to 255, not -1 to 1"):
        edge_f1(column(1) * 2.0 - 1, column(1))
    for tolerance in (-1, math.nan):
        with pytest.raises(Unmeasurable, match=r"edge F1: a tolerance of .* pixels is none"):
            edge_f1(column(1), column(1), tolerance=tolerance)


def test_soft_edges_are_no_edges_before_a_threshold() -> None:
    soft = column(3) * 0.75 + column(4) * 0.25
    with pytest.raises(Unmeasurable, match=r"edge F1: wanted holds soft edges, of .* 0\.25 to 0\.75.*threshold"):
        edge_f1(column(3) * 255, soft)
    assert edge_f1(column(3) * 255, soft > 0.5).tolist() == [1]
