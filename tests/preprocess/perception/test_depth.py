"""The conversion to stored depth; the network is tested with small real models in stages/test_depth.py."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.preprocess.perception.depth import to_uint16


def test_the_nearest_is_65535_and_the_farthest_0() -> None:
    stored = to_uint16(np.array([[-3.0, 0.0], [1.0, 5.0]], np.float32))
    assert stored.dtype == np.uint16
    assert stored.tolist() == [[0, round(65535 * 3 / 8)], [round(65535 / 2), 65535]]


def test_a_constant_map_is_all_zeros() -> None:
    assert not to_uint16(np.full((4, 4), 7, np.float32)).any()


def test_scale_and_shift_do_not_matter() -> None:
    inverse = np.random.default_rng(0).normal(size=(8, 8))
    assert np.abs(to_uint16(inverse).astype(int) - to_uint16(3 * inverse - 100)).max() <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_an_error(bad: float) -> None:
    with pytest.raises(ValueError, match="set `precision` to fp32"):
        to_uint16(np.array([[0.0, bad]], np.float32))
